"""What a config asks for: jobs, tables, figures, and the paths of their files, all relative to the working directory.

The rules read this plan; it does not depend on Snakemake. A path may contain wildcards in braces where a rule has them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from internal_physics.config.conditions import Run, files_behind
from internal_physics.config.load import Config
from internal_physics.config.options.record import RecordOptions
from internal_physics.families import registry
from internal_physics.families.family import CHECKPOINTS, CONDITIONS, FACTORS, JACOBIANS, SEVERAL, SKETCHES, WATCH, Per
from internal_physics.ground.names import BASELINE
from internal_physics.ground.options import names_of
from internal_physics.models.options import ModelOptions
from internal_physics.models.passes import DEFAULT_PASS, Pass, blocks_and_heads, largest_pass
from internal_physics.plan.record_jobs import RecordJob, lost_tensors, record_jobs, run_fields

OF_REPORT = "png"  # the format of the figures in the report
TABLE_FORMATS = ("csv", "parquet")


@dataclass(frozen=True)
class RunPlan:
    """The plan of one run.

    Attributes:
        config: checked.
    """

    config: Config

    @property
    def models(self) -> list[str]:
        """Names of the models, in the config's order."""
        return list(self.config.models)

    @property
    def prompt_sets(self) -> list[str]:
        """Names of the prompt sets, in the config's order."""
        return list(self.config.prompt_sets)

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions that are recorded, the baseline among them."""
        return list(dict.fromkeys(run.condition for run in self.config.runs))

    @cached_property
    def contrasts(self) -> dict[str, str]:
        """Conditions whose direction is derived from texts -> the first of those with an equal contrast.

        Its direction serves all of them: what they differ in, such as the scale, comes later.
        """
        texts = {n: c.steering["contrast"] for n, c in self.config.conditions.items() if "contrast" in c.steering}
        return {name: next(first for first in texts if texts[first] == texts[name]) for name in texts}

    @cached_property
    def steered_sets(self) -> list[str]:
        """Prompt sets that are also recorded under another condition than the baseline."""
        steered = {name for run in self.config.runs if run.condition != BASELINE for name in run.prompt_sets}
        return [name for name in self.prompt_sets if name in steered]

    @cached_property
    def compared_sets(self) -> list[str]:
        """Prompt sets that at least two models run."""
        return [name for name in self.prompt_sets if len(self.models_on(name)) > 1]

    @property
    def generated_sets(self) -> list[str]:
        """Prompt sets that are made from templates."""
        return [name for name, options in self.config.raw["prompt_sets"].items() if "generate" in options]

    # --- records ---

    @cached_property
    def record_jobs(self) -> list[RecordJob]:
        """Record jobs: one for each prompt set, or for each part of a long one."""
        return record_jobs(self.config.prompt_sets.values(), self.config.raw["record"]["prompts_per_job"])

    @cached_property
    def runs(self) -> dict[tuple[str, str], Run]:
        """(model, condition) -> what is recorded of them."""
        return {(run.model, run.condition): run for run in self.config.runs}

    def listings(self, model: str, condition: str) -> list[str]:
        """Listings of all records of a model in a condition, in the order of the prompt sets that it runs."""
        run = self.runs[model, condition]
        return [
            job.listing.format(model=model, condition=condition)
            for job in self.record_jobs
            if job.prompt_set in run.prompt_sets
        ]

    def all_listings(self) -> list[str]:
        """Listings of all records of the run."""
        return [path for model, condition in self.runs for path in self.listings(model, condition)]

    def lost_tensors(self) -> list[str]:
        """Records that a listing names and that are no longer there."""
        return lost_tensors(self.runs.values(), self.record_jobs)

    def models_on(self, prompt_set: str) -> list[str]:
        """Models that run a prompt set: those of its task."""
        task = self.config.prompt_sets[prompt_set].task
        return [name for name, options in self.config.models.items() if options["task"] == task]

    def for_runs(self, pattern: str, **wildcards: list[str]) -> list[str]:
        """The pattern filled in for every recorded pair of model and condition, and for further wildcards."""
        return [
            pattern.format(model=model, condition=condition, **dict(zip(wildcards, values, strict=True)))
            for model, condition in self.runs
            for values in product(*wildcards.values())
        ]

    def snapshot(self, model: str) -> str:
        """Folder of a model's snapshot."""
        return f"results/snapshots/{self.config.sources[model].snapshot}"

    def load_options(self, model: str) -> dict[str, Any]:
        """How a model is loaded: its options without its source."""
        options = self.config.models[model]
        attention = "eager" if self.config.raw["record"]["attention_entropy"] else "sdpa"
        return {key: options[key] for key in names_of(ModelOptions)} | {"attention": attention}

    def model_descriptions(self) -> dict[str, dict[str, Any]]:
        """Model -> the options that describe the model itself and not where it runs; its records hold its number
        formats.
        """
        described = ("source", "task", "step", "parent")
        return {name: {key: options.get(key) for key in described} for name, options in self.config.models.items()}

    def record_options(self, job: RecordJob) -> dict[str, Any]:
        """Options that a record depends on besides model and prompts, without those that split a set into jobs."""
        options = {key: self.config.raw["record"][key] for key in names_of(RecordOptions)}
        return options | {"weight_gradients": job.weight_gradients}

    def largest_pass(self, snapshot: str, job: RecordJob | None = None) -> Pass:
        """The largest pass of a record job through the model of a snapshot; without a job, one of usual size."""
        if job is None:
            return DEFAULT_PASS
        options = RecordOptions(**self.record_options(job))
        n_layers, n_heads = blocks_and_heads(snapshot)
        return largest_pass(
            [prompt["text"] for prompt in job.prompts],
            batch_size=options.batch_size,
            batch_tokens=options.batch_tokens,
            recorded=options.weight_gradients == "factors",
            recompute=options.recompute,
            n_layers=n_layers,
            n_rows=n_layers * n_heads if options.attention_entropy else 0,
        )

    def text_options(self, model: str, prompt_set: str | None = None) -> dict[str, Any]:
        """How texts become tokens of a model: those of a prompt set, or of a contrast."""
        return self.config.text_options(model, prompt_set)

    @cached_property
    def jacobian_runs(self) -> list[tuple[str, str]]:
        """Models and conditions in which at least one prompt of `jacobian.prompts` is recorded."""
        chosen = self.config.jacobian_prompts
        return [run for run, recorded in self.runs.items() if set(chosen) & set(recorded.prompt_sets)]

    def jacobian_prompts(self, model: str, condition: str) -> dict[str, list[dict[str, Any]]]:
        """Prompt set → the fields that a pass depends on, of its prompts whose blocks are linearised."""
        own = self.runs[model, condition].prompt_sets
        chosen = self.config.jacobian_prompts
        return {name: [run_fields(p) for p in prompts] for name, prompts in chosen.items() if name in own}

    def jacobian_texts(self, model: str, condition: str) -> dict[str, dict[str, Any]]:
        """Prompt set → how its texts become tokens of a model, likewise."""
        return {name: self.text_options(model, name) for name in self.jacobian_prompts(model, condition)}

    def steering(self, condition: str) -> dict[str, Any] | None:
        """What a condition adds to the residual stream; None for the baseline."""
        steered = self.config.conditions.get(condition)
        return None if steered is None else dict(steered.steering)

    def steering_files(self, model: str, condition: str) -> list[str]:
        """The file with a condition's direction (given or derived), followed by the files that it refers to."""
        if condition in self.contrasts:
            return [f"results/steering/{model}/{self.contrasts[condition]}.safetensors"]
        file = (self.steering(condition) or {}).get("file")
        return [] if file is None else files_behind(file)

    @property
    def checkpoints(self) -> list[str]:
        """Models that are checkpoints of a training of which there is at least one more."""
        parents = {name: options.get("parent") for name, options in self.config.models.items()}
        given = [parent for parent in parents.values() if parent is not None]
        return [name for name, parent in parents.items() if given.count(parent) > 1]

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
