"""What an experiment of the lab is: plain data that the Snakefile, the report and the documentation read.

Each experiment has a folder here and a line in `registry`. No pandas, no torch. The modules are named by text, so that
a training job depends on the code that makes its data, and on no measurement:

    data       batches(options, seed) -> lab.data.batches.Batches
    plans      planned_steps(options) -> int                       usually the module of the data; see below
    limits     require_measurable(options, measure_options)       raises for what cannot be measured later
    measures   measure(trained, options) -> {table name: rows}     trained: a Trained
    gates      gates(tables, arms) -> [Gate, …]                    tables: {name: rows of all arms and seeds}
    kernels    study(trained) -> lab.kernels.study.Study | None

`options` is an instance of `data_options` or of `measure_options`; its parameter in `batches` has the dataclass as its
type, so that a training job need not load this description. `planned_steps` raises what `batches` would raise, by the
same functions, and draws no data, because every reading of a config calls it; it loads no pandas, pyarrow or torch.
`measure` returns frames with the columns of the
experiment's tables except `arm` and `seed`, which the caller puts before them. `arms` are those of this experiment:
name → {"data": …, "model": …, "training": …} as mappings.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from internal_physics.ground.errors import ConfigError
from internal_physics.tables.columns import TEXT, Column
from internal_physics.tables.table import Table

OF_ARM = {
    "arm": Column(TEXT, "", "named arm of the config"),
    "seed": Column("int64", "", "seed of data, first weights and order", low=0),
}
ARM_KEY = ["arm", "seed"]
STEP = Column("int64", "steps", "training steps after which it was measured", low=0)


@dataclass(frozen=True)
class LabFigure:
    """A figure of the lab, drawn once from whole tables.

    Attributes:
        name: of its files, results/lab/figures/{name}.
        module: has `figures(inputs)`, as a figure module of a family; inputs are the paths of `tables`, by name.
        tables: that it reads.
    """

    name: str
    module: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """A number that says how much a model has learned at each of its snapshots.

    Attributes:
        table: that holds it.
        column: its column.
        rows: column → value, of the rows that count; one for each arm, seed and step.
    """

    table: str
    column: str
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Experiment:
    """An experiment of the lab.

    Attributes:
        name: its folder, its entry in an arm, and its section of `lab.measures`.
        title: as a person writes it.
        data_options: dataclass of what decides the data of an arm, the exposures included.
        measure_options: dataclass of what is measured on a trained arm; None for nothing to choose.
        data, measures, gates, kernels: dotted names of modules, see above; "" for no gates, and for no kernel.
        tables: that `measure` fills; they begin with the columns OF_ARM.
        figures: drawn of them.
        learned: what stands beside the physics of its models while they learn; None for nothing but the loss.
        plans: dotted name of the module that says how many steps a training has; "" where only its data tell.
        limits: dotted name of the module that refuses measures for which the data have no room; "" for none.
        measures_masked: whether what is measured has a meaning for masked models.
        input_files: names of the data options that are paths of files; a changed file trains again.
    """

    name: str
    title: str
    data_options: type
    data: str
    measures: str
    tables: tuple[Table, ...]
    measure_options: type | None = None
    gates: str = ""
    kernels: str = ""
    figures: tuple[LabFigure, ...] = ()
    learned: Learned | None = None
    plans: str = ""
    limits: str = ""
    measures_masked: bool = False
    input_files: tuple[str, ...] = ()

    def require_task(self, *, masked: bool) -> None:
        """Refuse a masked model where only causal ones can be measured.

        Raises:
            ConfigError: if so.
        """
        if masked and not self.measures_masked:
            raise ConfigError(
                "masked is True",
                where="model → masked",
                expected=f"False: what is measured in the experiment {self.name} is predicted from left to right",
                todo="leave masked out of the arm, or choose the experiment knowledge or grammar",
            )


@dataclass(frozen=True)
class Trained:
    """One finished training, as `measure` takes it.

    Attributes:
        arm: its name.
        seed: of data, first weights and order.
        data: an instance of the experiment's data options.
        snapshots: step → folder of an ordinary snapshot; the last one is the trained model.
        device: cpu or cuda.
    """

    arm: str
    seed: int
    data: Any
    snapshots: Mapping[int, str]
    device: str = "cpu"

    @property
    def last_step(self) -> int:
        """Steps of the whole training."""
        return max(self.snapshots)


@dataclass(frozen=True)
class Gate:
    """A claim of the literature, beside what was measured here.

    Attributes:
        experiment: where it was measured.
        claim: in a sentence.
        values: the measured number by seed; NaN where there is none.
        unit: of the numbers.
        low, high: the bar: what every seed's number must be at least, and at most; None for no bound.
        is_hard: whether it must hold at this scale; a soft one is reported only.
        deviation: how this measurement differs from the original.
    """

    experiment: str
    claim: str
    values: Mapping[int, float]
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    is_hard: bool = True
    deviation: str = ""

    @property
    def verdict(self) -> str:
        """Met if the number of every seed is within the bar, else missed; "reported" without a bar.

        "not measured" where a seed has no number.
        """
        numbers = list(self.values.values())
        if not numbers or any(math.isnan(number) for number in numbers):
            return "not measured"
        if self.low is None and self.high is None:
            return "reported"
        met = all((self.low is None or n >= self.low) and (self.high is None or n <= self.high) for n in numbers)
        return "met" if met else "missed"

    @property
    def bar(self) -> str:
        """The bar in words: "≥ 0.8", "none"."""
        low = "" if self.low is None else f"≥ {self.low:g}"
        high = "" if self.high is None else f"≤ {self.high:g}"
        return ", ".join(text for text in (low, high) if text) or "none"
