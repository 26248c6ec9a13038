"""Proof of an anatomy on one short pass, before anything is recorded.

An architecture that fails is refused with what did not match; a 2-D weight that no recorded map reaches is named.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts, hidden_state
from internal_physics.models.loading import LoadedModel
from internal_physics.models.precision import is_quantized
from internal_physics.models.readout import readout
from internal_physics.recording.finite import refuse_unfinite_weights, require_finite
from internal_physics.recording.loss import causal_targets, losses_nats
from internal_physics.recording.sight import CAUSAL, MASKED, require_task, sight
from internal_physics.recording.taps import Flow, Taps

N_TOKENS = 6
# Relative to the largest value compared; a wrong part of the anatomy is off by a factor, not by rounding. Some models
# compute their attention in float32 even where all else is float64.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


@dataclass(frozen=True)
class CheckedModel:
    """A model whose anatomy holds, and the 2-D weights whose gradients will not be recorded."""

    model: LoadedModel
    unreached: tuple[str, ...]


def check_model(model: LoadedModel) -> CheckedModel:
    """Run one short pass and compare what was caught with the model's own results.

    Checked: every block ran and reached the loss; the chain of residuals closes; readout(residual[L]) equals the
    logits; every plain linear map is y = x Wᵀ + b; explicit positions and padding change nothing; tokens see each other
    as the model's task requires.

    Raises:
        ArchitectureError: naming the architecture and what did not match.
        ModelError: a weight or an activation is not finite: the numbers are at fault, not the architecture.
    """
    try:
        return _prove(model)
    except torch.OutOfMemoryError:
        raise
    except ArchitectureError:
        refuse_unfinite_weights(model.module, model.anatomy.architecture)
        raise
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        # Any other error that an unforeseen architecture causes in code that expects another one.
        raise _refusal(f"{type(error).__name__}: {error}", model.anatomy) from error


def _prove(model: LoadedModel) -> CheckedModel:
    module, anatomy = model.module, model.anatomy
    ids = _some_ids(model)
    model = replace(model, explicit_positions=_positions_agree(model, ids))
    outputs, taps = _BlockOutputs(module, anatomy), Taps(module, anatomy, [N_TOKENS])
    with torch.enable_grad(), outputs, _LinearCheck(module, anatomy) as linear, taps as flow:
        logits = _logits(model, ids)
        seen = sight(outputs.last, flow) if outputs.last is not None else None
        losses_nats(logits, causal_targets(ids.tolist(), N_TOKENS, logits.device)).sum().backward()
    taps.verify()
    require_finite(flow.residual, logits, module, anatomy.architecture)
    _check_chain(flow, outputs, anatomy)
    require_task(model, seen)
    _compare(f"the linear map {linear.worst_site}", linear.worst, logits.dtype, anatomy)
    with torch.enable_grad():
        again = readout(module, anatomy, flow.residual[anatomy.n_layers].requires_grad_(), in_tuple=outputs.in_tuple)
    _compare("readout(residual[L]) against the logits", _relative(again, logits), logits.dtype, anatomy)
    _check_padding(model, ids, logits)
    model = replace(model, n_positions=_n_positions(flow, module))
    reached = {call.map.parameter for call in flow.calls if call.output_gradient is not None}
    named = (*(m.parameter for m in anatomy.maps), *anatomy.unmapped)
    return CheckedModel(model, tuple(name for name in dict.fromkeys(named) if name not in reached))


class _BlockOutputs:
    """Catches what each block returns, to compare it with the input of the next block."""

    def __init__(self, model: nn.Module, anatomy: Anatomy) -> None:
        self.blocks, self.in_tuple = anatomy.blocks(model), False
        self.hidden: list[torch.Tensor] = []
        self.last: torch.Tensor | None = None  # of the last block, in the graph of the pass

    def __enter__(self) -> "_BlockOutputs":
        self.handles = [block.register_forward_hook(self._keep) for block in self.blocks]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _keep(self, _module: nn.Module, _args: tuple, output: torch.Tensor | tuple) -> None:
        self.in_tuple = not isinstance(output, torch.Tensor)
        self.last = hidden_state(output)
        self.hidden.append(self.last.detach())


class _LinearCheck:
    """Compares each plain linear map's output with x Wᵀ + b; remembers the worst."""

    def __init__(self, model: nn.Module, anatomy: Anatomy) -> None:
        sites = {m.site: model.get_submodule(m.site) for m in anatomy.maps if not m.lookup}
        self.plain = {site: m for site, m in sites.items() if _is_plain(m)}
        self.worst, self.worst_site = 0.0, "(none)"

    def __enter__(self) -> "_LinearCheck":
        self.handles = [m.register_forward_hook(self._checker(site)) for site, m in self.plain.items()]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _checker(self, site: str) -> Callable[[Any, tuple, torch.Tensor], None]:
        def check(module: Any, args: tuple, output: torch.Tensor) -> None:
            with torch.no_grad():
                weight = module.weight.T if isinstance(module, Conv1D) else module.weight
                error = _relative(output, functional.linear(args[0].to(weight.dtype), weight, module.bias))
            if error > self.worst:
                self.worst, self.worst_site = error, site

        return check


def _is_plain(module: nn.Module) -> bool:
    """Whether a map multiplies with its weight as it is stored."""
    return cast(torch.Tensor, module.weight).ndim == 2 and not is_quantized(module)


def _some_ids(model: LoadedModel) -> torch.Tensor:
    """[1, t] different ids spread over the vocabulary."""
    n = model.n_embeddings
    ids = (torch.arange(1, N_TOKENS + 1) * n) // (N_TOKENS + 2)
    return ids[None].to(model.device)


def _logits(model: LoadedModel, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    extra: dict[str, object] = {"use_cache": False} if accepts(model.module, "use_cache") else {}
    if model.explicit_positions:
        extra["position_ids"] = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape[0], -1)
    return model.module(input_ids=ids, attention_mask=torch.ones_like(ids) if mask is None else mask, **extra).logits


def _tapped_logits(model: LoadedModel, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Logits of a pass in which embeddings need gradients, as in recording: a bare no-gradient pass would make
    bitsandbytes repack 4-bit weights on some CPUs, after which they give no gradient.
    """
    with torch.enable_grad(), Taps(model.module, model.anatomy, _lengths(ids, mask), factors=False):
        return _logits(model, ids, mask).detach()


def _lengths(ids: torch.Tensor, mask: torch.Tensor | None) -> list[int]:
    return [ids.shape[1]] * ids.shape[0] if mask is None else mask.sum(dim=1).tolist()


def _positions_agree(model: LoadedModel, ids: torch.Tensor) -> bool:
    """Whether 0..T-1 is this model's own numbering; if not (RoBERTa), it is left to number for itself."""
    if not accepts(model.module, "position_ids"):
        return False
    own, given = (_tapped_logits(replace(model, explicit_positions=explicit), ids) for explicit in (False, True))
    return _relative(given, own) <= _tolerance(own.dtype)


def _n_positions(flow: Flow, module: PreTrainedModel) -> int | None:
    """How many tokens the tables of positions have room for: those whose rows are looked up one after the other."""
    room = []
    for call in flow.calls:
        ids = call.caught_input.flatten()
        tokens = module.get_submodule(call.map.site) is module.get_input_embeddings()
        if call.map.lookup and not tokens and torch.equal(ids, ids[0] + torch.arange(len(ids), device=ids.device)):
            room.append(call.map.shape[0] - int(ids[0]))
    return min(room, default=None)


def _check_chain(flow: Flow, outputs: _BlockOutputs, anatomy: Anatomy) -> None:
    missing = sorted(set(range(anatomy.n_layers + 1)) - (set(flow.residual) & set(flow.residual_gradient)))
    if missing or len(outputs.hidden) != anatomy.n_layers:
        _refuse(f"the residual stream was not seen, or does not reach the loss, at layers {missing}", anatomy)
    for layer, hidden in enumerate(outputs.hidden):
        if not torch.equal(hidden.to(flow.residual[layer + 1].device), flow.residual[layer + 1]):
            _refuse(f"what leaves block {layer} is not what enters block {layer + 1}", anatomy)


def _check_padding(model: LoadedModel, ids: torch.Tensor, logits: torch.Tensor) -> None:
    """A shorter prompt padded to the batch's length (linear maps leave padding out) must give its own logits.

    So must the beginning of the longer one, in a causal model: `sight` cannot detect a choice that has no gradient.
    """
    if model.prompts_interact or _computed_in(model, logits) not in (torch.float32, torch.float64):
        return  # 16-bit products of another shape are rounded in another way, by more than a wrong mask might show
    n_short = N_TOKENS - 2
    mask = torch.ones(2, N_TOKENS, dtype=torch.long, device=ids.device)
    mask[1, n_short:] = 0
    padded = ids.repeat(2, 1)
    padded[1, n_short:] = model.pad_id
    alone, batched = _tapped_logits(model, ids[:, :n_short]), _tapped_logits(model, padded, mask)
    error = _relative(batched[1:, :n_short], alone)
    _compare("a padded prompt against the same prompt alone", error, logits.dtype, model.anatomy)
    if model.task == CAUSAL and not _relative(batched[:1, :n_short], alone) <= _tolerance(logits.dtype):
        require_task(model, MASKED)


def _computed_in(model: LoadedModel, logits: torch.Tensor) -> torch.dtype:
    """Number format in which the blocks' linear maps are multiplied; for 4-bit ones often narrower than that of the
    logits.
    """
    return logits.dtype if model.precision is None else getattr(torch, model.precision.compute_dtype)


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest expected magnitude; 0 for two zeros."""
    difference = (found.detach().double() - expected.detach().double().to(found.device)).abs().max()
    return float(difference / expected.detach().double().abs().max().clamp(min=torch.finfo(torch.float64).tiny))


def _tolerance(dtype: torch.dtype) -> float:
    return TOLERANCE[dtype]


def _compare(what: str, error: float, dtype: torch.dtype, anatomy: Anatomy) -> None:
    if not error <= _tolerance(dtype):
        _refuse(f"{what} is off by {error:.1e} (relative)", anatomy)


def _refuse(what: str, anatomy: Anatomy) -> None:
    raise _refusal(what, anatomy)


def _refusal(what: str, anatomy: Anatomy) -> ArchitectureError:
    return ArchitectureError(
        f"the self-check failed: {what}",
        where=anatomy.architecture,
        expected="an architecture whose parts are where its module tree says",
    )
