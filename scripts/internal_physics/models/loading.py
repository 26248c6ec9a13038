"""Snapshot → a frozen model with its tokenizer and a checked anatomy, on CPU, one GPU or several."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from internal_physics.ground.errors import ModelError
from internal_physics.models.anatomy import Anatomy, find_anatomy
from internal_physics.models.memory import estimate_memory, require_fits
from internal_physics.models.options import LoadOptions
from internal_physics.models.refusals import reading

# Says at every multiplication that LLM.int8 casts its inputs, and at every load that optional kernels are absent.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
disable_progress_bar()  # jobs have a progress bar of their own, over prompts
HEADS = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}


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
        attention_rows: per layer what its attention rows are (`recording.attention.Rows`); empty while unknown.
        labels: provenance, copied into every record.
    """

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase
    anatomy: Anatomy
    task: str = "causal"
    explicit_positions: bool = False
    prompts_interact: bool = False
    n_positions: int | None = None
    attention_rows: tuple[int, ...] = ()
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where token ids go: the device of the input embedding."""
        return self.module.get_input_embeddings().weight.device

    @property
    def pad_id(self) -> int:
        """The id padding positions are filled with; they are masked, so any that the embedding has a row for does."""
        own = None if self.tokenizer is None else self.tokenizer.pad_token_id
        return own if own is not None and 0 <= own < self.n_embeddings else 0

    @property
    def n_embeddings(self) -> int:
        """Rows of the input embedding: token ids are below."""
        return self.module.get_input_embeddings().num_embeddings

    @property
    def context_length(self) -> int | None:
        """Longest prompt in tokens, by the config and the table of positions; None where neither sets a limit."""
        by_config = getattr(self.module.config.get_text_config(), "max_position_embeddings", None)
        return min((n for n in (by_config, self.n_positions) if n is not None), default=None)


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
    """Load, freeze, and find the anatomy of a snapshot. `selfcheck.check_model` still has to prove it.

    Raises:
        ModelError: if it cannot fit in memory, lacks weights, or transformers cannot load it.
        ArchitectureError: if its parts are not found.
    """
    device = resolve_device(options.device)
    require_fits(estimate_memory(snapshot, options.dtype, options.quantization), available_bytes(device), device)
    with reading("transformers cannot load it", snapshot, ModelError), _known_reasons(snapshot, options.task):
        arguments = _arguments(options, device)
        module, report = HEADS[options.task].from_pretrained(str(snapshot), output_loading_info=True, **arguments)
    with reading("its tokenizer cannot be read", snapshot, ModelError):
        tokenizer = AutoTokenizer.from_pretrained(str(snapshot), trust_remote_code=options.trust_remote_code)
    _refuse_random_weights(module, report["missing_keys"], snapshot, options.task)
    return wrap_model(module, tokenizer, options.task)


@contextmanager
def _known_reasons(snapshot: str | Path, task: str) -> Iterator[None]:
    """Where the model's own code, its head or its padding is the matter: what the config has to say."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AssertionError) as error:
        reason = _known_reason(str(error), snapshot, task)
        if reason is None:
            raise
        raise reason from error


def _known_reason(said: str, snapshot: str | Path, task: str) -> ModelError | None:
    if "Unrecognized configuration class" in said:
        return _no_head(snapshot, task)
    if "Padding_idx" in said:
        return ModelError(
            "pad_token_id in its config.json is a token that its embedding has no row for",
            where=str(snapshot),
            expected="null, or a token of the model (RoBERTa and its kin number positions from it)",
            todo="set pad_token_id in config.json; what the tokenizer says of padding may stay as it is",
        )
    if "trust_remote_code" in said:
        return ModelError(
            "the model needs Python code that came with it, which is not run unasked",
            where=str(snapshot),
            expected="an architecture that transformers knows",
            todo="read the .py files in the snapshot; to run them, set trust_remote_code: true for this model",
        )
    return None


def _no_head(snapshot: str | Path, task: str) -> ModelError:
    config = AutoConfig.from_pretrained(str(snapshot))
    other = next((name for name, auto in HEADS.items() if type(config) in auto._model_mapping), None)
    return ModelError(
        f"transformers has no {task} language model of type {config.model_type}",
        where=f"{snapshot}, task: {task}",
        expected="a causal or a masked language model; others, such as encoder-decoders, are not supported",
        todo=f"set task: {other}" if other else "choose another model",
    )


def _refuse_random_weights(module: nn.Module, missing: Iterable[str], snapshot: str | Path, task: str) -> None:
    """Refuse a checkpoint that lacks weights: they would be drawn at random, with no more than a warning."""
    random = sorted(set(missing) & {name for name, _ in module.named_parameters()})
    if random:
        raise ModelError(
            f"it lacks {len(random)} weights of a {type(module).__name__}: {', '.join(random[:5])}",
            where=str(snapshot),
            expected=f"a whole checkpoint of a {task} language model",
            todo="check `task`, or use a checkpoint with its language-model head",
        )


def wrap_model(module: nn.Module, tokenizer: PreTrainedTokenizerBase | None, task: str = "causal") -> LoadedModel:
    """Freeze a transformers model that is already in memory and find its anatomy."""
    module.eval().requires_grad_(False)
    _keep_differentiable(module)
    return LoadedModel(module, tokenizer, find_anatomy(module), task, prompts_interact=_is_int8(module))


def available_bytes(device: str) -> int:
    """Free memory of a device: of all GPUs together for `balanced`."""
    if device == "cpu":
        return psutil.virtual_memory().available
    indices = range(torch.cuda.device_count()) if device == "balanced" else [torch.device(device).index or 0]
    return sum(torch.cuda.mem_get_info(i)[0] for i in indices)


def quantization_config(options: LoadOptions, device: str) -> BitsAndBytesConfig | None:
    """Settings of bitsandbytes; None for a model that is not quantised."""
    if options.quantization == "none":
        return None
    if options.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    compute = options.compute_dtype
    if compute == "auto":
        compute = "float32" if device == "cpu" else "bfloat16"
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=options.quantization,
        bnb_4bit_compute_dtype=getattr(torch, compute),
    )


def _arguments(options: LoadOptions, device: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "dtype": getattr(torch, options.dtype),
        "attn_implementation": options.attention,
        "device_map": "auto" if device == "balanced" else device,
        "trust_remote_code": options.trust_remote_code,
    }
    quantization = quantization_config(options, device)
    return arguments | ({"quantization_config": quantization} if quantization else {})


def _keep_differentiable(module: nn.Module) -> None:
    """Forbid bitsandbytes to repack 4-bit weights for its CPU inference kernel, which has no backward pass.

    On CPUs with AVX512-BF16 any pass whose input needs no gradient (a `generate`, say) would repack them for good.
    """
    for m in module.modules():
        if hasattr(m, "support_avx512bf16_for_cpu"):
            m.support_avx512bf16_for_cpu = False


def _is_int8(module: nn.Module) -> bool:
    return any(type(m).__name__ == "Linear8bitLt" for m in module.modules())
