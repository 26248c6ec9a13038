"""What a config makes of its records: metrics, tables and figures, and the paths of their files.

All paths are relative to the working directory. What is recorded is the first half of the plan (`recording_plan`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from internal_physics.families import registry
from internal_physics.families.family import CHECKPOINTS, CONDITIONS, FACTORS, JACOBIANS, SEVERAL, SKETCHES, WATCH, Per
from internal_physics.ground.names import BASELINE
from internal_physics.plan.recording_plan import RecordingPlan

OF_REPORT = "png"  # the format of the figures in the report
TABLE_FORMATS = ("csv", "parquet")


@dataclass(frozen=True)
class RunPlan(RecordingPlan):
    """The plan of one run: what is recorded, and everything that is made of it."""

    # --- metrics and tables ---

    @property
    def metrics(self) -> list[str]:
        """The metrics of the config."""
        return list(self.config.raw["metrics"])

    @cached_property
    def asked(self) -> frozenset[str]:
        """Metrics and features that decide which tables and figures are made."""
        features = {
            CONDITIONS: self.config.conditions,
            WATCH: self.config.raw["information"]["watch"],
            JACOBIANS: self.jacobian_runs,
            SEVERAL: self.compared_sets,
            CHECKPOINTS: self.checkpoints,
            FACTORS: [s for s in self.config.prompt_sets.values() if s.weight_gradients == "factors"],
            SKETCHES: [s for s in self.config.prompt_sets.values() if s.weight_gradients == "sketch"],
        }
        return frozenset([*self.metrics, *(name for name, given in features.items() if given)])

    @property
    def collected_metrics(self) -> list[str]:
        """Metrics whose rows by layer go into table `layers`."""
        return [name for name in self.metrics if registry.METRICS[name].in_layers]

    def metric_files(self, *metrics: str) -> list[str]:
        """Files of these metrics, of every model in every condition that it is recorded in."""
        return self.for_runs("results/metrics/{metric}/{model}/{condition}.parquet", metric=list(metrics))

    @property
    def metrics_between_conditions(self) -> list[str]:
        """Metrics whose rows table `comparisons` compares with those of the baseline."""
        return [name for name in self.metrics if registry.METRICS[name].between_conditions]

    def references(self, model: str, condition: str) -> list[tuple[str, str]]:
        """Models and conditions that a run may be compared with, in the order of preference.

        These are the model that the config names as the reference, else every model before it in the config, in the
        same condition; and, for a condition other than the baseline, the model's own baseline.
        """
        before = self.models[: self.models.index(model)]
        others = before if self.config.reference is None else [self.config.reference]
        task = self.config.models[model]["task"]
        candidates = [
            (other, condition) for other in others if other != model and self.config.models[other]["task"] == task
        ]
        candidates += [] if condition == BASELINE else [(model, BASELINE)]
        return [run for run in candidates if run in self.runs]

    @property
    def ranked_metrics(self) -> list[str]:
        """Metrics that take part in table `scores_normalized`."""
        return [name for name in self.metrics if registry.METRICS[name].smaller_is_better]

    @property
    def reference_first(self) -> list[str]:
        """The models, the config's `reference` before the others: of two, the earlier one is the reference."""
        return sorted(self.models, key=lambda model: model != self.config.reference)

    @property
    def score_scale(self) -> list[str]:
        """The file that sets the scale of the normalised scores, if the config names one."""
        return [self.config.score_scale] if self.config.score_scale else []

    @property
    def paired_metrics(self) -> list[str]:
        """Metrics that table `model_pairs` compares between models."""
        return registry.paired(self.metrics)

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are made."""
        return registry.wanted_tables(self.asked)

    @property
    def lens_files(self) -> list[str]:
        """Files with the predictions of every residual at every position, which the explorer shows."""
        return [path for pattern in registry.wanted_lenses(self.asked) for path in self.for_runs(pattern)]

    @cached_property
    def findings_modules(self) -> dict[str, tuple[str, ...]]:
        """Modules that make findings -> the tables that each reads."""
        return registry.findings_modules(self.tables)

    def metric_options(self, metric: str) -> dict[str, Any]:
        """The options of the config's `statistics` that a metric takes."""
        return {name: self.config.raw["statistics"][name] for name in registry.METRICS[metric].options}

    # --- figures ---

    @property
    def _sets_of(self) -> dict[Per, list[str]]:
        """Kind of prompt sets that a figure is drawn for -> their names."""
        return {
            Per.PROMPT_SET: self.prompt_sets,
            Per.STEERED_SET: self.steered_sets,
            Per.COMPARED_SET: self.compared_sets,
        }

    def figure_outputs(self, per: Per) -> list[str]:
        """Files of a kind of figure, which stays a wildcard {figure}."""
        subjects = {**self._sets_of, Per.MODEL: self.models}
        names = [f"{{figure}}-{name}" for name in subjects[per]] if per in subjects else ["{figure}"]
        return [f"results/figures/{name}.{kind}" for name in names for kind in self.figure_formats]

    @property
    def figure_formats(self) -> list[str]:
        """File formats of every figure; the report's own first."""
        return list(dict.fromkeys([OF_REPORT, *self.config.raw["figures"]["formats"]]))

    def figure_files(self, *kinds: str, formats: tuple[str, ...] | None = None) -> list[str]:
        """All files of these kinds of figures, or those in these formats."""
        paths = [p.format(figure=kind) for kind in kinds for p in self.figure_outputs(registry.FIGURES[kind].per)]
        return [path for path in paths if formats is None or path.endswith(formats)]

    def figures(self, per: Per | None = None) -> list[str]:
        """Kinds of figures that are drawn: all, or those drawn once for each `per`."""
        return registry.wanted_figures(self.asked, per)

    def figure_inputs(self, kind: str) -> dict[str, str | list[str]]:
        """Tables and other files that a kind of figure reads."""
        figure = registry.FIGURES[kind]
        tables = {name: f"results/tables/{name}.parquet" for name in figure.tables}
        return tables | {name: [p.format(model=m) for m in self.models] for name, p in figure.files.items()}

    def figure_options(self, kind: str) -> dict[str, Any]:
        """Arguments of the kind's function `figures`."""
        figure = registry.FIGURES[kind]
        sets = self._sets_of.get(figure.per, self.prompt_sets)
        of_run: Mapping[str, Any] = {
            "models": self.models,
            "prompt_sets": sets,
            "seed": self.config.raw["seed"],
            "statistics": self.config.raw["statistics"],
            "lens_prompts": {model: self.config.lens_prompt(model) for model in self.models},
        }
        return {name: of_run[name] for name in figure.params} | dict(figure.options)

    # --- the run as a whole ---

    def outputs(self) -> list[str]:
        """Files and folders for readers that the config makes: tables, figures, published forms, prompts."""
        paths = [*table_files(*self.tables).values(), "results/tables/checked.txt", *self.figure_files(*self.figures())]
        paths += [f"results/prompts/{name}.yaml" for name in self.generated_sets]
        published = [path for name in self.metrics for path in registry.METRICS[name].published]
        return paths + list(dict.fromkeys(path.format(model=model) for path in published for model in self.models))

    @cached_property
    def config_checksum(self) -> str:
        """SHA-256 of the config with all its defaults."""
        return hashlib.sha256(json.dumps(self.config.resolved(), sort_keys=True).encode()).hexdigest()


def table_files(*names: str) -> dict[str, str]:
    """The two files of each table, by output name: {name}_csv and {name}_parquet."""
    return {f"{name}_{kind}": f"results/tables/{name}.{kind}" for name in names for kind in TABLE_FORMATS}
