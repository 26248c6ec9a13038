"""One class: a tiny random model goes the way that a user's model goes, and is compared with plain autograd.

It is saved, loaded, checked and recorded, each prompt alone and both in a batch; its readout is opened from the saved
files. Whatever it raises on the way is what a user would see.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from internal_physics.config.options.record import RecordOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import UserError
from internal_physics.models.heads import HEADS
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.models.refusals import reason_of
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.trace import Trace
from transformers import CONFIG_MAPPING, PreTrainedModel

from benchmarks.architectures.classes import architecture_of
from benchmarks.architectures.configs import N_VOCABULARY, small_config
from benchmarks.architectures.outcome import NOT_RUN, REFUSED, Outcome, judge
from benchmarks.architectures.reference import Question, Reference, references
from benchmarks.architectures.wide import float64_throughout
from tests.tiny_models import build_tokenizer

MASK_ID = 4  # of the tokenizer's [MASK]; ordinary tokens begin after it
LENGTHS = (9, 6)
MOST_PARAMETERS = 50_000_000
DTYPES = ("float64", "float32")
_SHAKE = 0.05
_NUMBER = re.compile(r"(?<=[.\[])\d+(?=[.\]]|$)")


@dataclass(frozen=True)
class Recorded:
    """Traces of the prompts, each alone and both in a batch, and the readout of the last residuals [t, v]."""

    alone: tuple[Trace, ...]
    batched: tuple[Trace, ...]
    readouts: tuple[torch.Tensor, ...]


def examine(model_type: str, task: str) -> Outcome:
    """Build, compare, judge. Never raises for what a class does."""
    empty = Outcome(model_type, task, architecture_of(model_type, task), NOT_RUN)
    questions = make_questions(task)
    try:
        model, expected, dtype = _plain(model_type, task, questions)
    except Exception as problem:  # noqa: BLE001  transformers, or a package that it needs
        return replace(empty, reason=f"{type(problem).__name__}: {reason_of(problem)}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            snapshot = save(model, folder, model_type, task)
            with float64_throughout(dtype):
                found = _record(snapshot, task, dtype, questions)
    except UserError as refusal:
        return replace(empty, outcome=REFUSED, reason=" ".join(refusal.what.split()), dtype=dtype)
    except Exception as problem:  # noqa: BLE001  an error without words: as bad as a refusal, and said as it is
        return replace(empty, outcome=REFUSED, reason=f"{type(problem).__name__}: {reason_of(problem)}", dtype=dtype)
    return _compared(replace(empty, dtype=dtype), expected, found)


def make_questions(task: str) -> list[Question]:
    """Two prompts of different length, seeded."""
    draw = np.random.default_rng(7)
    questions = []
    for n_tokens in LENGTHS:
        ids = [int(i) for i in draw.integers(MASK_ID + 1, N_VOCABULARY, n_tokens)]
        position = n_tokens // 2 if task == "masked" else None
        if position is not None:
            ids[position] = MASK_ID
        questions.append(Question(tuple(ids), position, answer=11))
    return questions


def build(model_type: str, task: str, dtype: str) -> PreTrainedModel:
    """A seeded random model, its weights shaken so that none is constant.

    Raises:
        Exception: of any kind, where transformers cannot build it.
        ValueError: if it is too large for the sweep.
    """
    torch.manual_seed(0)
    config = small_config(CONFIG_MAPPING[model_type], task)
    with torch.device("meta"):
        size = sum(p.numel() for p in HEADS[task].from_config(config).parameters())
    if size > MOST_PARAMETERS:
        raise ValueError(f"{size:.1e} parameters: its config could not be made small")
    model = HEADS[task].from_config(config, attn_implementation="eager", dtype=getattr(torch, dtype)).eval()
    _without_fused_experts(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(_SHAKE * torch.randn_like(parameter))
    return model


def save(model: PreTrainedModel, folder: str | Path, model_type: str, task: str) -> Path:
    """A snapshot as a user has it: config, weights, tokenizer.

    Some models keep only the config of their text part, of a type that no checkpoint has by itself.
    """
    model.save_pretrained(folder)
    if type(model.config) not in HEADS[task]._model_mapping:
        small_config(CONFIG_MAPPING[model_type], task).save_pretrained(folder)
    build_tokenizer(task == "masked").save_pretrained(folder)
    return Path(folder)


def _without_fused_experts(model: PreTrainedModel) -> None:
    """Kernels of experts take float32 and less; the plain loop over experts takes float64 too."""
    if model._can_set_experts_implementation():
        model.set_experts_implementation("eager")


def _plain(model_type: str, task: str, questions: list[Question]) -> tuple[PreTrainedModel, list[Reference], str]:
    """A model with its reference in the widest number format that transformers runs it in."""
    for dtype in DTYPES:
        try:
            with float64_throughout(dtype):
                model = build(model_type, task, dtype)
                return model, references(model, questions), dtype
        except (RuntimeError, ValueError, TypeError):
            if dtype == DTYPES[-1]:
                raise
    raise AssertionError("unreachable")


def _record(folder: Path, task: str, dtype: str, questions: Sequence[Question]) -> Recorded:
    options = LoadOptions(device="cpu", task=task, dtype=dtype)  # type: ignore[arg-type]
    loaded = load_snapshot(folder, options)
    _without_fused_experts(loaded.module)
    model = check_model(loaded).model
    prompts = [_encoded(f"prompt_{i}", question) for i, question in enumerate(questions)]

    def traces(batch_size: int) -> tuple[Trace, ...]:
        recorded = record_batches(model, prompts, RecordOptions(batch_size=batch_size))
        return tuple(sorted(recorded, key=lambda trace: trace.info.prompt))

    alone, batched = traces(1), traces(len(prompts))
    readout = open_readout(folder, options)
    last = [readout.logits(trace.residual(trace.n_layers)).double() for trace in alone]
    return Recorded(alone, batched, tuple(last))


def _encoded(name: str, question: Question) -> Encoded:
    position, answer = len(question.ids) - 1, None
    if question.position is not None:
        position, answer = question.position, question.answer
    return Encoded(Prompt(name, name), question.ids, tuple(map(str, question.ids)), position, answer)


def _compared(outcome: Outcome, expected: list[Reference], found: Recorded) -> Outcome:
    recorded = {name for trace in found.alone for name in trace.parameters}
    expected = [replace(reference, gradients=_cut(reference.gradients, recorded)) for reference in expected]
    sizes = {name: g.numel() for reference in expected for name, g in reference.gradients.items()}
    covered = [name for name in sizes if name in recorded]
    share = sum(sizes[name] for name in covered) / max(sum(sizes.values()), 1)
    errors = {
        "norm_error": max(_norm_errors(covered, expected, found.alone), default=0.0),
        "product_error": max(_product_errors(covered, expected, found.alone), default=0.0),
        "batch_error": max(_batch_errors(found)),
        "readout_error": max(map(_relative, found.readouts, (r.logits for r in expected))),
    }
    left_out = tuple(dict.fromkeys(_NUMBER.sub("*", name) for name in sizes if name not in recorded))
    verdict = judge(share, errors.values(), outcome.dtype)
    reason = ", ".join(f"{name} {error:.1e}" for name, error in errors.items()) if verdict == "wrong" else ""
    return replace(outcome, outcome=verdict, reason=reason, covered=share, left_out=left_out, **errors)


def _cut(gradients: Mapping[str, torch.Tensor], recorded: set[str]) -> dict[str, torch.Tensor]:
    """Gradients, with those of a stack of experts cut as the record has them: name[0], name[1] … of the used ones."""
    stacks = {name.rpartition("[")[0] for name in recorded if name.endswith("]")}
    cut = {}
    for name, gradient in gradients.items():
        if name in stacks:
            cut |= {f"{name}[{e}]": part for e, part in enumerate(gradient) if bool(part.any())}
        else:
            cut[name] = gradient
    return cut


def _norm_errors(names: Sequence[str], expected: list[Reference], traces: Sequence[Trace]) -> Iterator[float]:
    for reference, trace in zip(expected, traces, strict=True):
        floor = _floor(reference.gradients)
        for name in names:
            norm = float(reference.gradients[name].double().norm()) if name in reference.gradients else 0.0
            yield abs(_gradient_norm(trace, name) - norm) / max(norm, floor)


def _gradient_norm(trace: Trace, name: str) -> float:
    return trace.gradient_norm(name) if name in trace.parameters else 0.0


def _product_errors(names: Sequence[str], expected: list[Reference], traces: Sequence[Trace]) -> Iterator[float]:
    one, other = expected
    for name in names:
        if not all(name in r.gradients for r in expected) or not all(name in t.parameters for t in traces):
            continue
        a, b = one.gradients[name].double(), other.gradients[name].double()
        product = traces[0].gradient(name).dot(traces[1].gradient(name))
        scale = max(float(a.norm() * b.norm()), _floor(one.gradients) * _floor(other.gradients))
        yield abs(product - float((a * b).sum())) / scale


def _floor(gradients: Mapping[str, torch.Tensor]) -> float:
    """A gradient that is smaller than this part of the largest one is judged by the largest one.

    Where no gradient arrives at all, sums that cancel leave 1e-19 of the largest one (DeepSeek V4's position bias).
    """
    return 1e-6 * max(float(g.double().norm()) for g in gradients.values())


def _batch_errors(found: Recorded) -> Iterator[float]:
    for alone, batched in zip(found.alone, found.batched, strict=True):
        yield abs(batched.loss_nats - alone.loss_nats) / abs(alone.loss_nats)
        for tensors in (Trace.residuals, Trace.residual_gradients):
            yield _relative(torch.tensor(tensors(batched)), torch.tensor(tensors(alone)))
        norms = {name: alone.gradient_norm(name) for name in alone.parameters}
        floor = 1e-9 * max(norms.values())
        for name, norm in norms.items():
            yield abs(_gradient_norm(batched, name) - norm) / max(norm, floor)


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest expected magnitude."""
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())
