"""The tables that describe the names in all others: models, prompts as a model reads them, and conditions."""

from typing import Any, get_args

from internal_physics.models.options import Dtype, Task
from internal_physics.tables.columns import CONDITION, MODEL, NOTES, PROMPT, PROMPT_SET, STATUS, TARGETS, TEXT, Column
from internal_physics.tables.keys import PROMPT_OF_MODEL_KEY
from internal_physics.tables.table import Table


def _note(meaning: str) -> Column:
    return Column(TEXT, "", meaning, is_optional=True)


def _one_of(choices: Any, meaning: str) -> Column:
    return Column(TEXT, "", meaning, allowed=get_args(choices))


MODELS = Table(
    "models",
    columns={
        "model": MODEL,
        "source": Column(TEXT, "", "where its files come from, as the config says it"),
        "adapter": _note("the adapter that is merged into its weights, and its base model; else empty"),
        "revision": Column(TEXT, "", "package version, commit, or SHA-256 of the source file"),
        "sha256": Column(TEXT, "", "of its weight files: what `sha256sum *.safetensors | sha256sum` gives"),
        "stored_as": _note(
            "number formats of the weights in the source's files, that of most numbers first; those of a GGUF file are "
            "de-quantised when it is fetched; empty for a GGUF snapshot from before this column"
        ),
        "dtype": _one_of(Dtype, "number format of everything that is not quantised, as it ran"),
        "quantization": Column(TEXT, "", "how the linear maps are quantised, as they ran, or none"),
        "quantization_method": Column(TEXT, "", "library or format behind it, or none"),
        "quantized_share": Column(
            "float64",
            "1",
            "share of the parameters that is quantised: linear maps, not embeddings, head and experts in one tensor",
            low=0,
            high=1,
            is_optional=True,
        ),
        "weights_covered_share": Column(
            "float64",
            "1",
            "of the numbers in all weights of two or more dimensions that take part in the loss, the share whose "
            "gradients can be recorded; empty for records from before this column",
            low=0,
            high=1,
            is_optional=True,
        ),
        "weights_not_covered": _note(
            "names of the weights without a recorded gradient, with * for the number of the block and how many there "
            "are; those that the loss does not depend on do not count in the share; empty for none"
        ),
        "bits": Column("int64", "bits", "bits per weight of the linear maps, as they ran", low=1),
        "compute_dtype": Column(TEXT, "", "number format in which the linear maps are multiplied"),
        "task": _one_of(Task, "what the model was trained for"),
        "step": Column("Int64", "training steps", "of a training checkpoint; else empty", low=0),
        "parent": _note("the model that a training checkpoint is of; else empty"),
        "n_blocks": Column("int64", "blocks", "L, the depth", low=1),
        "width": Column("int64", "", "d, the width of the residual stream", low=1),
        "n_parameters": Column("int64", "numbers", "in its weight files; tied weights are stored once", low=1),
        "status": STATUS,
    },
    key=["model"],
    group=("model",),
    members=(),
)

PROMPTS_READ = Table(
    "prompts_read",
    columns={
        "model": MODEL,
        "prompt_set": PROMPT_SET,
        "prompt": PROMPT,
        **NOTES,
        "n_tokens": Column("int64", "tokens", "length of the prompt as the model reads it", low=1),
        "tokens": Column(
            TEXT, "", "what the model reads: its tokens with | between them, special ones in ⟨⟩, line breaks as \\n"
        ),
        **TARGETS,
        "status": STATUS,
    },
    key=PROMPT_OF_MODEL_KEY,
    group=("model", "prompt_set"),
    members=("prompt",),
)

CONDITIONS = Table(
    "conditions",
    columns={
        "condition": CONDITION,
        "adds": Column(TEXT, "", "what it adds to the residual stream, in words"),
        "layers": Column(TEXT, "", "where, in words: residual positions, with their weights if they differ"),
        "scale": Column("float64", "as in the config", "what the addition is multiplied by; empty for the baseline"),
        "models": Column(TEXT, "", "the models that it is recorded on, with commas between them"),
        "prompt_sets": Column(TEXT, "", "the prompt sets, likewise"),
        "status": STATUS,
    },
    key=["condition"],
    group=("condition",),
    members=(),
)
