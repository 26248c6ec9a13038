"""What a config asks of the lab: trainings, measurements, tables and figures, and the paths of their files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from internal_physics.config.lab import LabArm
from internal_physics.lab.experiments.experiment import Experiment, LabFigure
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.lab.kernels.tables import FIGURE as KERNEL_FIGURE
from internal_physics.lab.kernels.tables import LAB_KERNEL
from internal_physics.lab.kernels.tables import NAME as KERNELS
from internal_physics.lab.kernels.tables import TITLE as KERNELS_TITLE
from internal_physics.lab.tables import LAB_ARMS, LAB_GATES, LAB_TRAINING
from internal_physics.models.sources import LAB_ARMS as ARMS_FOLDER
from internal_physics.tables.table import Table

OF_TRAINING = f"{ARMS_FOLDER}/{{arm}}/seed-{{seed}}"
LOSSES, STEPS = f"{OF_TRAINING}/training.parquet", f"{OF_TRAINING}/steps"
UNFINISHED = "results/lab/unfinished/{arm}/seed-{seed}"
REPORT = "results/lab/report.html"
MEASURED = "results/lab/measures/{arm}/seed-{seed}"


@dataclass(frozen=True)
class LabPlan:
    """The plan of the lab's part of a run.

    Attributes:
        arms: name → arm.
        measures: experiment → what is measured on its arms.
    """

    arms: Mapping[str, LabArm]
    measures: Mapping[str, Mapping[str, Any]]

    @property
    def experiments(self) -> list[str]:
        """Names of the experiments that have arms."""
        asked = {arm.experiment for arm in self.arms.values()}
        return [name for name in EXPERIMENTS if name in asked]

    @property
    def seeds(self) -> list[str]:
        """Seeds of all arms, as text."""
        return sorted({str(seed) for arm in self.arms.values() for seed in arm.seeds}, key=int)

    def experiment_of(self, arm: str) -> Experiment:
        """Whose data an arm reads."""
        return EXPERIMENTS[self.arms[arm].experiment]

    def training(self, arm: str) -> dict[str, Any]:
        """Everything that decides the trainings of an arm, the seed apart."""
        return {name: dict(options) for name, options in self.arms[arm].options.items()}

    def first_weights(self, arm: str, seed: str) -> list[str]:
        """The folder of snapshots with whose last one a training begins; none for random weights."""
        base = self.arms[arm].starts_from
        return [STEPS.format(arm=base, seed=seed)] if base else []

    def described(self) -> dict[str, dict[str, Any]]:
        """Every arm: its experiment, the arm that it starts from, data, model and training."""
        return {
            name: {"experiment": arm.experiment, "starts_from": arm.starts_from, **self.training(name)}
            for name, arm in self.arms.items()
        }

    def measure_options(self, arm: str) -> dict[str, Any]:
        """What is measured on an arm."""
        return dict(self.measures.get(self.arms[arm].experiment, {}))

    def input_files(self, arm: str) -> list[str]:
        """Files that the data of an arm is made of."""
        data = self.arms[arm].options["data"]
        return [data[name] for name in self.experiment_of(arm).input_files]

    def for_trainings(self, pattern: str, experiment: str | None = None) -> list[str]:
        """The pattern for every arm and seed, or for those of an experiment."""
        return [
            pattern.format(arm=arm.name, seed=seed)
            for arm in self.arms.values()
            if experiment in (None, arm.experiment)
            for seed in arm.seeds
        ]

    def of_experiment(self, experiment: str) -> dict[str, dict[str, Any]]:
        """Name → data, model and training of the arms of an experiment."""
        return {name: self.training(name) for name, arm in self.arms.items() if arm.experiment == experiment}

    def tables_of(self, experiment: str) -> list[Table]:
        """Tables that an experiment fills."""
        return list(EXPERIMENTS[experiment].tables)

    def module_of(self, arm: str) -> str:
        """Module with the description of an arm's experiment."""
        return experiment_module(self.arms[arm].experiment)

    def measure_modules(self, arm: str) -> tuple[str, str]:
        """Modules that a measurement of an arm loads by name."""
        return self.module_of(arm), self.experiment_of(arm).measures

    def gates(self) -> dict[str, dict[str, Any]]:
        """Experiments with gates, in their order: name → module of the gates, tables that they read, and arms."""
        return {
            name: {
                "module": EXPERIMENTS[name].gates,
                "tables": [table.name for table in EXPERIMENTS[name].tables],
                "arms": self.of_experiment(name),
            }
            for name in self.experiments
            if EXPERIMENTS[name].gates
        }

    def gate_modules(self) -> list[str]:
        """Modules that the job of all gates loads by name."""
        return [gates["module"] for gates in self.gates().values()]

    def read_by_gates(self) -> dict[str, str]:
        """Tables that gates read: name → Parquet file."""
        return {t: _parquet(t) for gates in self.gates().values() for t in gates["tables"]}

    @property
    def with_kernels(self) -> list[LabArm]:
        """Arms whose gradients are compared."""
        return [arm for arm in self.arms.values() if self.experiment_of(arm.name).kernels]

    def kernel_trainings(self) -> list[dict[str, Any]]:
        """Arm, seed, data and experiment of the trainings whose gradients are compared."""
        return [
            {"arm": arm.name, "seed": seed, "data": dict(arm.options["data"]), "experiment": self.module_of(arm.name)}
            for arm in self.with_kernels
            for seed in arm.seeds
        ]

    def kernel_steps(self) -> list[str]:
        """Folders of their snapshots, in the same order."""
        return [STEPS.format(arm=of["arm"], seed=of["seed"]) for of in self.kernel_trainings()]

    def kernel_modules(self) -> list[str]:
        """Modules that the job of all kernels loads by name."""
        used = dict.fromkeys(arm.experiment for arm in self.with_kernels)
        return [module for name in used for module in (experiment_module(name), EXPERIMENTS[name].kernels)]

    def kernel_figure_files(self, formats: list[str]) -> list[str]:
        """Files of the figure of kernels."""
        return _figure_files(KERNEL_FIGURE.name, formats)

    def kernel_drawings(self, formats: list[str]) -> list[dict[str, Any]]:
        """As `drawings`, of the figure of kernels."""
        return [_drawing(KERNEL_FIGURE, formats)]

    @property
    def with_figures(self) -> list[str]:
        """Experiments that draw figures."""
        return [name for name in self.experiments if EXPERIMENTS[name].figures]

    def read_by_figures(self, experiment: str) -> dict[str, str]:
        """Tables that the figures of an experiment read: name → Parquet file."""
        return {table: _parquet(table) for figure in EXPERIMENTS[experiment].figures for table in figure.tables}

    def figure_modules(self, experiment: str) -> list[str]:
        """Modules that draw the figures of an experiment."""
        return [figure.module for figure in EXPERIMENTS[experiment].figures]

    def drawings(self, formats: list[str], experiment: str) -> list[dict[str, Any]]:
        """Arguments of `figures.draw.draw_figures` for each figure of an experiment, the inputs apart."""
        return [_drawing(figure, formats) for figure in EXPERIMENTS[experiment].figures]

    def figure_files(self, formats: list[str], experiment: str) -> list[str]:
        """Files of the figures of an experiment."""
        return [path for figure in EXPERIMENTS[experiment].figures for path in _figure_files(figure.name, formats)]

    def shown(self) -> dict[str, str | list[str]]:
        """What the report shows of the lab: claims, arms, and every figure as PNG; nothing without arms."""
        if not self.arms:
            return {}
        figures = [path for name in self.with_figures for path in self.figure_files(["png"], name)]
        figures += self.kernel_figure_files(["png"]) if self.with_kernels else []
        return {**{name: _parquet(name) for name in (LAB_GATES.name, LAB_ARMS.name)}, "lab_figures": figures}

    def followed(self, models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Trainings of the lab whose checkpoints are models of the run: parent → arm, seed and experiment.

        Args:
            models: of the config, by name, each checkpoint an entry of its own.
        """
        found = {}
        for options in models.values():
            kind, _, rest = options["source"].partition(":")
            arm, _, seed = rest.partition("@")[0].partition("/")
            if kind == "lab" and options.get("parent") and arm in self.arms:
                place = {"arm": arm, "seed": int(seed or 0), "experiment": self.arms[arm].experiment}
                found[str(options["parent"])] = place
        return found

    def learned(self, models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """What counts as learned in the experiments of followed trainings: experiment → table, column and rows."""
        asked = dict.fromkeys(place["experiment"] for place in self.followed(models).values())
        return {name: asdict(learned) for name in asked if (learned := EXPERIMENTS[name].learned)}

    def read_by_physics(self, models: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Tables of the lab that table lab_physics is made of: name → Parquet file."""
        tables = [LAB_TRAINING.name, *(learned["table"] for learned in self.learned(models).values())]
        return {name: _parquet(name) for name in tables}

    def titled(self) -> dict[str, dict[str, Any]]:
        """What the report says of experiments that have arms: name → title, and the names of its figures."""
        titled = {
            name: {"title": EXPERIMENTS[name].title, "figures": [figure.name for figure in EXPERIMENTS[name].figures]}
            for name in self.experiments
        }
        kernels = {KERNELS: {"title": KERNELS_TITLE, "figures": [KERNEL_FIGURE.name]}}
        return titled | kernels if self.with_kernels else titled

    def outputs(self, formats: list[str]) -> list[str]:
        """Everything that the target `lab` asks for."""
        tables = [LAB_TRAINING, LAB_ARMS, LAB_GATES, *(t for name in self.experiments for t in self.tables_of(name))]
        figures = [path for name in self.with_figures for path in self.figure_files(formats, name)]
        if self.with_kernels:
            tables.append(LAB_KERNEL)
            figures += self.kernel_figure_files(formats)
        return [*lab_tables(*(table.name for table in tables)).values(), *figures, REPORT]


def lab_tables(*names: str) -> dict[str, str]:
    """Files of tables of the lab: {name}_csv and {name}_parquet → path."""
    return {f"{name}_{kind}": f"results/lab/tables/{name}.{kind}" for name in names for kind in ("csv", "parquet")}


def experiment_module(experiment: str) -> str:
    """Module with the description of an experiment."""
    return f"internal_physics.lab.experiments.{experiment}.experiment"


def _drawing(figure: LabFigure, formats: list[str]) -> dict[str, Any]:
    return {"module": figure.module, "outputs": _figure_files(figure.name, formats), "options": {}}


def _parquet(table: str) -> str:
    return f"results/lab/tables/{table}.parquet"


def _figure_files(name: str, formats: list[str]) -> list[str]:
    return [f"results/lab/figures/{name}.{kind}" for kind in formats]
