"""Slow and obvious references, straight from autograd and the definitions. Nothing of the library is imported here.

A prompt is run alone, without padding, mask or hooks of the library; every weight gets a dense gradient.
Index conventions: l block 0..L-1, t token, d width, p prompt, k rank.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import curve_fit
from torch import nn
from torch.nn import functional

# Where the blocks are, written down by hand: the library has to find them by itself.
BLOCK_LISTS = {
    "GPT2LMHeadModel": "transformer.h",
    "LlamaForCausalLM": "model.layers",
    "GPTNeoXForCausalLM": "gpt_neox.layers",
    "GPTNeoForCausalLM": "transformer.h",
    "GPTJForCausalLM": "transformer.h",
    "FalconForCausalLM": "transformer.h",
    "BloomForCausalLM": "transformer.h",
    "OPTForCausalLM": "model.decoder.layers",
    "Gemma2ForCausalLM": "model.layers",
    "CohereForCausalLM": "model.layers",
    "GraniteForCausalLM": "model.layers",
    "Phi3ForCausalLM": "model.layers",
    "Qwen3ForCausalLM": "model.layers",
    "MixtralForCausalLM": "model.layers",
    "BertForMaskedLM": "bert.encoder.layer",
    "RobertaForMaskedLM": "roberta.encoder.layer",
    "DistilBertForMaskedLM": "distilbert.transformer.layer",
}


@dataclass(frozen=True)
class Question:
    """What one prompt is asked: token ids, and for a masked model where the gap is and what fills it."""

    ids: tuple[int, ...]
    task: str = "causal"
    position: int = -1
    answer: int | None = None


@dataclass(frozen=True)
class Flow:
    """Loss in nats, and per block the gradient that leaves it below (ΔA) and arrives from above (ΔB), each [t, d]."""

    loss: float
    below: tuple[np.ndarray, ...]
    above: tuple[np.ndarray, ...]


def blocks_of(model: nn.Module) -> nn.ModuleList:
    return model.get_submodule(BLOCK_LISTS[type(model).__name__])


def loss_of(model: nn.Module, question: Question) -> torch.Tensor:
    """Mean next-token negative log-likelihood, or that of the answer (the model's best token) at the gap."""
    ids = torch.tensor([question.ids])
    logits = model(ids).logits[0]
    if question.task == "causal":
        return functional.cross_entropy(logits[:-1], ids[0, 1:])
    at_gap = logits[question.position]
    answer = at_gap.argmax() if question.answer is None else torch.tensor(question.answer)
    return functional.cross_entropy(at_gap[None], answer[None])


@contextmanager
def trainable(model: nn.Module, part: nn.Module | None = None) -> Iterator[None]:
    """Every parameter of the model (or of one part of it) asks for a gradient inside, and none outside."""
    (part or model).requires_grad_(True)
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        model.requires_grad_(False)


def dense_gradients(model: nn.Module, question: Question) -> tuple[float, dict[str, np.ndarray]]:
    """loss.backward() with weight gradients: the loss, and the gradient of every 2-D parameter that gets one."""
    with trainable(model):
        loss = loss_of(model, question)
        loss.backward()
        found = {
            name: p.grad.double().numpy() for name, p in model.named_parameters() if p.ndim == 2 and p.grad is not None
        }
    return float(loss.detach()), found


def hooked_flow(model: nn.Module, question: Question) -> Flow:
    """Gradients into and out of every block, by torch's own full backward hooks.

    The token embedding asks for a gradient, so that there is a backward pass through all blocks.
    """
    below: dict[int, torch.Tensor] = {}
    above: dict[int, torch.Tensor] = {}

    def catch(layer: int):
        def hook(_block, grad_input, grad_output):
            below[layer], above[layer] = grad_input[0], grad_output[0]

        return hook

    handles = [block.register_full_backward_hook(catch(layer)) for layer, block in enumerate(blocks_of(model))]
    try:
        with trainable(model, model.get_input_embeddings()):
            loss = loss_of(model, question)
            loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    layers = range(len(handles))
    return Flow(
        float(loss.detach()),
        tuple(below[layer][0].double().numpy() for layer in layers),
        tuple(above[layer][0].double().numpy() for layer in layers),
    )


# --- the five scores, from their definitions -------------------------------------------------------


def relative_changes(flow: Flow) -> list[float]:
    """e_l = ‖ΔA − ΔB‖ / (‖ΔB‖ + 1e-9)."""
    found = []
    for a, b in zip(flow.below, flow.above, strict=True):
        found.append(_length(a - b) / (_length(b) + 1e-9))
    return found


def cosines(flow: Flow) -> list[float]:
    """c_l = cos(ΔA, ΔB)."""
    found = []
    for a, b in zip(flow.below, flow.above, strict=True):
        found.append(float(np.sum(a * b)) / (_length(a) * _length(b)))
    return found


def ec(flow: Flow) -> float:
    return _mean(relative_changes(flow))


def isc(flow: Flow) -> float:
    return sum(_length(a) for a in flow.below) / flow.loss


def isg(flow: Flow) -> float:
    return _deviation(relative_changes(flow)) / _mean(relative_changes(flow))


def isa(flow: Flow) -> float:
    return _deviation(cosines(flow))


@dataclass(frozen=True)
class Spectrum:
    isf: float
    exponent: float
    eigenvalues: np.ndarray


def spectrum(flows: Sequence[Flow]) -> Spectrum:
    """ISF by the book: the whole padded matrix [P, L·T·d], centred, its SVD, a power law through s²/(P − 1).

    The fit is asked for twelve digits of the squared error: scipy's default of eight leaves five of the exponent.
    """
    longest = max(len(flow.below[0]) for flow in flows)
    rows = []
    for flow in flows:
        padded = [np.pad(a, ((0, longest - len(a)), (0, 0))) for a in flow.below]
        rows.append(np.concatenate([a.ravel() for a in padded]))
    matrix = np.stack(rows)
    singular = np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False)
    eigenvalues = singular**2 / (len(flows) - 1)
    ranks = np.arange(1, len(flows) + 1, dtype=float)
    (a, b), _ = curve_fit(
        lambda k, a, b: a * k**-b, ranks, eigenvalues, p0=(eigenvalues[0], 1.0), ftol=1e-12, xtol=1e-12, maxfev=100_000
    )
    rmse = np.sqrt(np.mean((eigenvalues - a * ranks**-b) ** 2))
    return Spectrum(float(rmse / (eigenvalues.max() - eigenvalues.min())), float(b), eigenvalues)


def _length(tensor: np.ndarray) -> float:
    return float(np.sqrt(np.sum(tensor * tensor)))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """Population standard deviation."""
    mean = _mean(values)
    return float(np.sqrt(sum((v - mean) ** 2 for v in values) / len(values)))
