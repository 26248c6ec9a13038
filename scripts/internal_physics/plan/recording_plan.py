"""What a config asks to record: models, conditions, prompt sets and record jobs, with the paths of their files.

The rules read this plan; it does not depend on Snakemake. A path may contain wildcards in braces where a rule has them.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from internal_physics.config.conditions import Run, files_behind
from internal_physics.config.load import Config
from internal_physics.config.options.record import RecordOptions
from internal_physics.ground.names import BASELINE
from internal_physics.ground.options import names_of
from internal_physics.models.options import ModelOptions
from internal_physics.models.passes import DEFAULT_PASS, Pass, blocks_and_heads, largest_pass
from internal_physics.plan.kernel_memory import KeptPrompts
from internal_physics.plan.record_jobs import RecordJob, lost_tensors, record_jobs, run_fields


@dataclass(frozen=True)
class RecordingPlan:
    """What is run through which model, and how.

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

    def kept_prompts(self, model: str, condition: str) -> KeptPrompts:
        """How many prompts of a model and condition are part of its kernels."""
        own = self.runs[model, condition].prompt_sets
        jobs = [job for job in self.record_jobs if job.prompt_set in own]
        return KeptPrompts(
            *(sum(len(job.prompts) for job in jobs if job.weight_gradients == kept) for kept in KeptPrompts._fields)
        )

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
