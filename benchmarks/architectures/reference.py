"""Losses, logits and gradients of plain autograd: what a record is compared with."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Question:
    """A prompt for the comparison.

    Attributes:
        ids: token ids.
        position: of the [MASK] in a masked model; None in a causal one.
        answer: what stands behind the [MASK].
    """

    ids: tuple[int, ...]
    position: int | None = None
    answer: int = 0


@dataclass(frozen=True)
class Reference:
    """Of one prompt alone: logits [t, v], loss in nats, and the gradient of each matrix the loss depends on."""

    logits: torch.Tensor
    loss_nats: float
    gradients: dict[str, torch.Tensor]


def references(model: nn.Module, questions: Sequence[Question]) -> list[Reference]:
    """One forward and backward pass for each prompt, with gradients of all parameters.

    A mask that is the lowest number of float64 overflows where a model computes its attention in float32.

    Raises:
        Exception: of any kind, where transformers cannot run the model.
    """
    return [_reference(model, question) for question in questions]


def _reference(model: nn.Module, question: Question) -> Reference:
    ids = torch.tensor([question.ids])
    has_cache = "use_cache" in inspect.signature(model.forward).parameters
    extra = {"use_cache": False} if has_cache else {}
    model.zero_grad(set_to_none=True)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), **extra).logits[0]
    loss = _loss(logits, question)
    loss.backward()
    matrices = {name: p.grad for name, p in model.named_parameters() if p.ndim > 1 and p.grad is not None}
    if not all(bool(tensor.isfinite().all()) for tensor in (logits, *matrices.values())):
        raise ValueError(f"a logit or a gradient is not finite in {str(logits.dtype).removeprefix('torch.')}")
    taking_part = {name: g.clone() for name, g in matrices.items() if bool(g.any())}
    return Reference(logits.detach(), float(loss), taking_part)


def _loss(logits: torch.Tensor, question: Question) -> torch.Tensor:
    if question.position is None:
        return functional.cross_entropy(logits[:-1], torch.tensor(question.ids[1:]))
    return functional.cross_entropy(logits[question.position][None], torch.tensor([question.answer]))
