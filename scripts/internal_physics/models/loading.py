"""Snapshot → a frozen model with its tokenizer and a checked anatomy, on CPU, one GPU or several."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from internal_physics.ground.errors import ModelError
from internal_physics.ground.words import plural
from internal_physics.models.adapters import refuse_adapter
from internal_physics.models.anatomy import Anatomy, find_anatomy, input_embedding
from internal_physics.models.checkpoint import tokenizer_files, weight_files
from internal_physics.models.completeness import N_NAMED, require_whole
from internal_physics.models.coverage import EVERYTHING, Coverage
from internal_physics.models.heads import head_for
from internal_physics.models.known_reasons import known_reasons
from internal_physics.models.memory import estimate_memory, require_fits
from internal_physics.models.options import LoadOptions
from internal_physics.models.plausible import require_plausible_depth, require_plausible_size
from internal_physics.models.precision import (
    Precision,
    is_packed,
    left_as_they_are,
    precision_of,
    require_agreement,
    require_what_was_asked,
)
from internal_physics.models.quantization_settings import (
    dequantizing,
    quantization_config,
    require_known_method,
)
from internal_physics.models.refusals import reading
from internal_physics.models.stored_quantization import StoredQuantization, stored_quantization
from internal_physics.models.tokenizer import read_tokenizer

# Says at every multiplication that LLM.int8 casts its inputs, and at every load that optional kernels are absent.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
disable_progress_bar()  # jobs have a progress bar of their own, over prompts
LOGGER = logging.getLogger("internal_physics")


@dataclass
class LoadedModel:
    """A model ready to record.

    Attributes:
        module: the transformers model, in eval mode, every parameter frozen.
        tokenizer: its tokenizer.
        anatomy: where its parts are.
        task: causal or masked.
        explicit_positions: whether position ids are passed (False where the model numbers positions in its own way).
        prompts_interact: whether prompts of one batch influence each other (LLM.int8 finds outlier
            columns over the whole batch), so that each must run alone.
        n_positions: tokens that its table of positions has room for, as it looks them up (RoBERTa begins at row 2);
            None where it has no such table, or it is not known yet.
        attention_rows: layer → what its attention rows are (`recording.attention.Rows`); empty while unknown.
        attention_blocks: the block of each tensor of attention rows that the model returns; empty while unknown.
        coverage: which weight gradients are recorded and how, as the self-check found.
        precision: in which number formats it computes, read from its modules; None for one that was not loaded here.
        labels: provenance, copied into every record.
    """

    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None
    anatomy: Anatomy
    task: str = "causal"
    explicit_positions: bool = False
    prompts_interact: bool = False
    n_positions: int | None = None
    attention_rows: Mapping[int, int] = field(default_factory=dict)
    attention_blocks: tuple[int, ...] = ()
    coverage: Coverage = EVERYTHING
    precision: Precision | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        of = self.anatomy
        shape = f"{of.architecture}, {of.n_layers} layers, width {of.width}"
        how = ", ".join(str(self.labels[key]) for key in ("dtype", "quantization") if key in self.labels)
        return (
            f"Model({self.labels.get('model', '')!r}: {shape}, {self.task}{f', {how}' if how else ''}, {self.device})"
        )

    @property
    def device(self) -> torch.device:
        """Where token ids go: the device of the input embedding."""
        return input_embedding(self.module).weight.device

    @property
    def pad_id(self) -> int:
        """The id padding positions are filled with; they are masked, so any id with a row in the embedding will do."""
        own = None if self.tokenizer is None else self.tokenizer.pad_token_id
        return own if own is not None and 0 <= own < self.n_embeddings else 0

    @property
    def n_embeddings(self) -> int:
        """Rows of the input embedding: token ids are below."""
        return int(input_embedding(self.module).weight.shape[0])

    @property
    def context_length(self) -> int | None:
        """Longest prompt in tokens, by the config and the table of positions; None where neither sets a limit.

        XLNet says -1 for no limit.
        """
        by_config = getattr(self.module.config.get_text_config(), "max_position_embeddings", None)
        return min((n for n in (by_config, self.n_positions) if n not in (None, -1)), default=None)


def resolve_device(device: str) -> str:
    """Turn auto into cuda where there is one, else cpu.

    Raises:
        ModelError: where a GPU is asked for and there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and not torch.cuda.is_available():
        raise ModelError(
            f"device: {device}, but torch sees no GPU",
            expected="a GPU",
            todo="set device: auto or cpu, or ask for a GPU node",
        )
    return device


def load_snapshot(snapshot: str | Path, options: LoadOptions) -> LoadedModel:
    """Load, freeze, and find the anatomy of a snapshot. `recording.selfcheck` still has to prove it.

    Raises:
        SourceError: for an adapter, a damaged file or a missing one.
        ModelError: if it cannot fit in memory, differs from its files or from the options, or transformers
            cannot load it.
        ArchitectureError: if its parts are not found.
    """
    device = resolve_device(options.device)
    stored = check_request(snapshot, options)
    require_known_method(stored, snapshot)
    require_fits(estimate_memory(snapshot, options.dtype, options.quantization), available_bytes(device), device)
    with reading("transformers cannot load it", snapshot, ModelError), known_reasons(snapshot, options.task, stored):
        head = head_for(options.task, snapshot, trust_remote_code=options.trust_remote_code)
        if not options.trust_remote_code:
            require_plausible_size(snapshot, head)
        arguments = _arguments(options, device, stored)
        module, report = head.from_pretrained(str(snapshot), output_loading_info=True, **arguments)
    with reading("its tokenizer cannot be read", snapshot, ModelError):
        tokenizer = _tokenizer(snapshot, options)
    require_whole(module, snapshot, report, options.task)
    if stored is not None:
        _cast(module, getattr(torch, options.dtype))
    precision = precision_of(module, stored)
    require_what_was_asked(options, precision, str(snapshot))
    model = replace(wrap_model(module, tokenizer, options.task), precision=precision)
    _say_what_is_not_quantized(model)
    _require_context(model.context_length, snapshot)
    return model


def _tokenizer(snapshot: str | Path, options: LoadOptions) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a snapshot; None where it has no file of one, so that its prompts are token ids."""
    if not tokenizer_files(snapshot) and not options.trust_remote_code:
        LOGGER.info("the model has no tokenizer: its prompts are token ids")
        return None
    return read_tokenizer(snapshot, trust_remote_code=options.trust_remote_code)


def _say_what_is_not_quantized(model: LoadedModel) -> None:
    """Name the matrices that stay as they are in a model that is otherwise quantised: experts in one tensor, say."""
    precision = model.precision
    if precision is None or not precision.quantized_share:
        return
    left = left_as_they_are(model.module, model.anatomy.is_in_blocks)
    if left:
        LOGGER.warning(
            "%s: %.0f %% of the parameters are quantised; %s in the blocks stay %s, because bitsandbytes quantises "
            "linear maps only: %s%s",
            precision.quantization,
            100 * precision.quantized_share,
            plural(len(left), "tensor"),
            precision.dtype,
            ", ".join(left[:N_NAMED]),
            ", …" if len(left) > N_NAMED else "",
        )


def _require_context(n_tokens: int | None, snapshot: str | Path) -> None:
    if n_tokens is not None and n_tokens < 2:
        raise ModelError(
            f"by its config it reads at most {n_tokens} tokens",
            where=str(snapshot),
            expected="a context of 2 tokens or more",
            todo="check max_position_embeddings in config.json",
        )


def check_request(snapshot: str | Path, options: LoadOptions) -> StoredQuantization | None:
    """How a checkpoint is quantised, if its files are there and the options do not contradict it; no weight is read.

    Raises:
        SourceError: for an adapter, or a missing shard.
        ModelError: for options that contradict what is stored, or a config with more blocks than there are tensors.
    """
    refuse_adapter(snapshot, str(snapshot))
    weight_files(snapshot)
    require_plausible_depth(snapshot)
    stored = stored_quantization(snapshot)
    require_agreement(options, stored, str(snapshot))
    return stored


def _cast(module: nn.Module, dtype: torch.dtype) -> None:
    """Give what is not quantised the number format asked for, except what the architecture keeps in float32.

    transformers does so for other checkpoints; those that are already quantised keep the formats they are stored in.
    """
    lists = ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
    kept = {name for attribute in lists for name in getattr(module, attribute, None) or ()}
    for name, parameter in module.named_parameters():
        if not is_packed(parameter) and not kept & set(name.split(".")):
            parameter.data = parameter.data.to(dtype)


def wrap_model(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None, task: str = "causal") -> LoadedModel:
    """Freeze a transformers model that is already in memory and find its anatomy."""
    module.eval().requires_grad_(False)
    _keep_differentiable(module)
    _keep_unscaled(module)
    return LoadedModel(module, tokenizer, find_anatomy(module), task, prompts_interact=_is_int8(module))


def available_bytes(device: str) -> int:
    """Free memory of a device: of all GPUs together for `balanced`."""
    if device == "cpu":
        return psutil.virtual_memory().available
    indices = range(torch.cuda.device_count()) if device == "balanced" else [torch.device(device).index or 0]
    return sum(torch.cuda.mem_get_info(i)[0] for i in indices)


def _arguments(options: LoadOptions, device: str, stored: StoredQuantization | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "dtype": getattr(torch, options.dtype),
        "attn_implementation": options.attention,
        "device_map": "auto" if device == "balanced" else device,
        "trust_remote_code": options.trust_remote_code,
        "ignore_mismatched_sizes": True,  # reported, and refused by name
    }
    quantization = quantization_config(options, device) if stored is None else dequantizing(stored)
    return arguments | ({"quantization_config": quantization} if quantization else {})


def _keep_differentiable(module: nn.Module) -> None:
    """Forbid bitsandbytes to repack 4-bit weights for its CPU inference kernel, which has no backward pass.

    On CPUs with AVX512-BF16 any pass whose input needs no gradient (a `generate`, say) would repack them for good.
    """
    linear_4bit: Any
    for linear_4bit in module.modules():
        if hasattr(linear_4bit, "support_avx512bf16_for_cpu"):
            linear_4bit.support_avx512bf16_for_cpu = False


def _keep_unscaled(module: PreTrainedModel) -> None:
    """Keep RWKV from halving its stream every few blocks, and weights of the blocks with it, when it first runs.

    It does so in eval mode against overflow in float16. The norms after it undo the change but for their epsilon, and
    gradients would be of weights that the checkpoint does not have.
    """
    if getattr(module.config, "rescale_every", 0) > 0 and any(_is_yet_unscaled(part) for part in module.modules()):
        module.config.rescale_every = 0


def _is_yet_unscaled(part: nn.Module) -> bool:
    return getattr(part, "layers_are_rescaled", None) is False


def _is_int8(module: nn.Module) -> bool:
    return any(type(m).__name__ == "Linear8bitLt" for m in module.modules())
