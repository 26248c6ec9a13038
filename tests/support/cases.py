"""Tiny models with prompts and their records, made once and shared by the tests of numerics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
import transformers as T
from internal_physics.config.prompts import Prompt
from internal_physics.models.loading import LoadedModel, wrap_model
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import CheckedModel, check_model
from internal_physics.records.trace import Key, Trace
from oracles import Flow, Question, dense_gradients, hooked_flow
from tiny_models import ARCHITECTURES, FLOAT32_INSIDE, N_VOCABULARY, build_model, task_of
from torch import nn

DTYPES = ("float32", "float64")
SIZES = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
LLAMA = {**SIZES, "num_key_value_heads": 2, "attn_implementation": "eager"}
EVERY = [(name, dtype) for name in ARCHITECTURES for dtype in DTYPES]
EVERY_ID = [f"{name}-{dtype}" for name, dtype in EVERY]
FIRST_ORDINARY_ID = 5  # below are the special tokens; 0 pads
MASK_ID = 4


@dataclass(frozen=True)
class Case:
    """A checked tiny model and five prompts of four lengths."""

    name: str
    dtype: str
    checked: CheckedModel
    encoded: tuple[Encoded, ...]

    @property
    def model(self) -> LoadedModel:
        return self.checked.model

    @property
    def module(self) -> nn.Module:
        return self.model.module


@cache
def case(name: str, dtype: str = "float32") -> Case:
    """Prompts: short; with repeated tokens; long; with the padding token as real text; and two of one length."""
    checked = check_model(wrap_model(build_model(name, getattr(torch, dtype)), None, task_of(name)))
    draw = np.random.default_rng(7)
    ids = {n: draw.integers(FIRST_ORDINARY_ID, N_VOCABULARY, n_tokens) for n, n_tokens in _LENGTHS.items()}
    ids["repeats"][[2, 5]] = ids["repeats"][0]
    ids["pad_inside"][1] = 0
    return Case(name, dtype, checked, tuple(encoded(n, tokens, task_of(name)) for n, tokens in ids.items()))


_LENGTHS = {"short": 3, "repeats": 7, "long": 11, "pad_inside": 5, "same_length": 7}


def check(module: nn.Module, task: str = "causal") -> CheckedModel:
    """A module in memory, with its anatomy proven."""
    return check_model(wrap_model(module, None, task))


def llama(cls: type = T.LlamaForCausalLM, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    return cls(T.LlamaConfig(**LLAMA, **changes))


def encoded(name: str, ids: Sequence[int], task: str = "causal") -> Encoded:
    """A prompt as the recorder takes it; a masked one has its gap in the middle, and every second one an answer."""
    tokens = [int(i) for i in ids]
    position, answer = len(tokens) - 1, None
    if task == "masked":
        position = len(tokens) // 2
        tokens[position] = MASK_ID
        answer = 11 if len(tokens) % 4 == 3 else None
    return Encoded(Prompt(name, name), tuple(tokens), tuple(map(str, tokens)), position, answer)


def question(task: str, prompt: Encoded) -> Question:
    """The same prompt as the oracles take it."""
    return Question(prompt.ids, task, prompt.read_position, prompt.answer)


def record(model: LoadedModel, prompts: Sequence[Encoded], **options: object) -> dict[str, Trace]:
    """Traces by prompt name."""
    return {trace.info.prompt: trace for trace in record_batches(model, prompts, RecordOptions(**options))}


@cache
def recorded(name: str, dtype: str, batch_size: int = 16, weight_gradients: str = "factors") -> dict[str, Trace]:
    """All prompts of a case; shared, so leave it as it is."""
    tiny = case(name, dtype)
    return record(tiny.model, tiny.encoded, batch_size=batch_size, weight_gradients=weight_gradients)


def like_the_oracle(name: str, dtype: str) -> dict[str, Trace]:
    """Records to hold against an oracle, in one batch.

    gpt_neo and gptj compute attention in float32 inside a float64 model, so there padding changes digits 8 and on of
    what the oracle, alone, gets: only passes of equal shape can be compared to more.
    """
    alone = dtype == "float64" and name in FLOAT32_INSIDE
    return recorded(name, dtype, batch_size=1 if alone else 16)


@cache
def dense(name: str, dtype: str) -> dict[str, tuple[float, dict[str, np.ndarray]]]:
    """Loss and dense gradients of every prompt of a case."""
    tiny = case(name, dtype)
    return {p.prompt.name: dense_gradients(tiny.module, question(task_of(name), p)) for p in tiny.encoded}


@cache
def flows(name: str, dtype: str) -> dict[str, Flow]:
    """Gradient flow of every prompt of a case, by backward hooks."""
    tiny = case(name, dtype)
    return {p.prompt.name: hooked_flow(tiny.module, question(task_of(name), p)) for p in tiny.encoded}


def relative(found: object, expected: object) -> float:
    """‖found − expected‖ / ‖expected‖; 0 for two zeros, infinite where only one is."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    difference, size = np.linalg.norm(found - expected), np.linalg.norm(expected)
    return 0.0 if difference == 0 else float(difference / size) if size else np.inf


def worst_difference(found: Trace, expected: Trace, leave_out: Sequence[Key] = ()) -> tuple[float, Key]:
    """The largest relative difference over all tensors of two traces, and where."""
    assert set(found.tensors) == set(expected.tensors)
    return max((relative(found.tensors[k], expected.tensors[k]), k) for k in expected.tensors if k not in leave_out)


def with_pad_id(model: LoadedModel, pad_id: int) -> LoadedModel:
    """The same model with another padding token."""

    class Tokenizer:
        pad_token_id = pad_id

    return replace(model, tokenizer=Tokenizer())
