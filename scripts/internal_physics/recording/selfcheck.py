"""Proof of an anatomy on one short pass, before anything is recorded.

An architecture that fails is refused with what did not match; a weight whose gradient is not recorded is named.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts
from internal_physics.models.coverage import EVERYTHING, Coverage, in_words
from internal_physics.models.loading import LoadedModel
from internal_physics.models.readout import readout, with_stream
from internal_physics.recording.block_outputs import BlockOutputs
from internal_physics.recording.coverage import find_coverage, reaches_loss, same_uses, with_longer
from internal_physics.recording.experts import ONE_BY_ONE, TOGETHER, can_choose
from internal_physics.recording.finite import refuse_unfinite_weights, require_finite
from internal_physics.recording.flow import Flow
from internal_physics.recording.known_settings import naming_setting
from internal_physics.recording.loss import causal_targets, losses_nats
from internal_physics.recording.routing import unrouted
from internal_physics.recording.sight import CAUSAL, MASKED, require_task, sight, token_rows
from internal_physics.recording.taps import Taps
from internal_physics.recording.wiring import Wiring

LOGGER = logging.getLogger("internal_physics")
N_TOKENS = 6
LONGER = 160  # of a second pass where the first leaves weights out: DeepSeek V4 sums up 128 tokens before it uses them
# Relative to the largest value compared; a wrong part of the anatomy is off by a factor, not by rounding. Some models
# compute their attention in float32 even where all else is float64.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


@dataclass(frozen=True)
class CheckedModel:
    """A model whose anatomy holds, and whose `coverage` is known."""

    model: LoadedModel

    @property
    def unreached(self) -> tuple[str, ...]:
        """The weights of two or more dimensions whose gradients will not be recorded."""
        return self.model.coverage.uncovered


def check_model(model: LoadedModel) -> CheckedModel:
    """Run one short pass and compare what was caught with the model's own results.

    Checked: every block ran and reached the loss; the chain of residuals closes; readout(residual[L]) equals the
    logits; experts that run one by one give the logits that fused ones give, and all together the same factors;
    explicit positions change nothing; tokens see each other as the model's task requires. Found: how each weight is
    used, and whether a batch changes what a prompt gives (a model that does not mask its padding), so that each must
    run alone.

    Raises:
        ArchitectureError: naming the architecture and what did not match.
        ModelError: a weight or an activation is not finite: the numbers are at fault, not the architecture.
    """
    try:
        with naming_setting(model.module.config, model.anatomy.architecture):
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
    module, anatomy = model.module, with_stream(model.module, model.anatomy)
    model, ids = replace(model, anatomy=anatomy), _some_ids(model)
    _show_experts(model, ids)
    model = replace(model, explicit_positions=_positions_agree(model, ids))
    outputs, taps = BlockOutputs(module, anatomy, N_TOKENS), Taps(module, anatomy, [N_TOKENS], thorough=True)
    with torch.enable_grad(), outputs, taps as flow:
        logits = _logits(model, ids)
        tokens = token_rows(flow, ids) if anatomy.encoder_path else None
        seen = sight(outputs.last, flow, tokens) if outputs.last is not None else None
        _some_loss(logits, ids).backward()
    taps.verify()
    require_finite(flow.residual, logits, module, anatomy.architecture)
    _check_chain(flow, outputs, anatomy)
    require_task(model, seen)
    with torch.enable_grad():
        again = readout(module, anatomy, flow.residual[anatomy.n_layers].requires_grad_(), n_members=outputs.n_members)
    _compare("readout(residual[L]) against the logits", _relative(again, logits), logits.dtype, anatomy)
    coverage = find_coverage(module, anatomy, taps, lambda dense: _pass_with(model, ids, dense))
    model = replace(model, n_positions=_n_positions(flow, module))
    if any(anatomy.is_in_blocks(name) for name in coverage.unreached):
        coverage = _with_longer_prompt(model, coverage)
    watched = _pass_with(model, ids, replace(coverage, every_function=False))
    coverage = replace(coverage, every_function=not same_uses(flow, watched.flow, coverage, _tolerance(logits.dtype)))
    coverage = _with_experts_together(model, ids, flow, logits, coverage)
    mixed, interact = _check_padding(model, ids, logits)
    alone = coverage.alone or any(call.map.parameter in mixed for call in flow.calls if reaches_loss(call))
    model = replace(model, prompts_interact=interact)
    _say_what_is_unrouted(module, anatomy)
    return CheckedModel(replace(model, coverage=replace(coverage, alone=alone)))


def _some_loss(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return losses_nats(logits, causal_targets(ids.tolist(), ids.shape[1], logits.device)).sum()


def _with_longer_prompt(model: LoadedModel, coverage: Coverage) -> Coverage:
    """Add what a prompt of LONGER tokens reaches, if the model reads so many: some parts wait for enough tokens."""
    ids = _some_ids(model, min(LONGER, model.context_length or LONGER))
    try:
        taps = _pass_with(model, ids, EVERYTHING, thorough=True)
        longer = find_coverage(model.module, model.anatomy, taps, lambda dense: _pass_with(model, ids, dense))
    except (ArchitectureError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        LOGGER.warning(
            "no prompt of %d tokens could be checked (%s): weights that only long prompts reach would be left out",
            ids.shape[1],
            error,
        )
        return coverage
    return with_longer(coverage, longer)


def _say_what_is_unrouted(module: nn.Module, anatomy: Anatomy) -> None:
    sites = unrouted(module, anatomy)
    if sites:
        LOGGER.warning("no routing is recorded of %s: no router has a score for just its experts", in_words(sites))


def _pass_with(model: LoadedModel, ids: torch.Tensor, coverage: Coverage, *, thorough: bool = False) -> Taps:
    """The taps of another pass, in which some weights are kept whole."""
    wiring = Wiring(model.module, model.anatomy, coverage)
    taps = Taps(model.module, model.anatomy, [ids.shape[1]], wiring=wiring, thorough=thorough)
    with torch.enable_grad(), taps:
        _some_loss(_logits(model, ids), ids).backward()
    return taps


def _show_experts(model: LoadedModel, ids: torch.Tensor) -> None:
    """Have experts multiply one by one, where transformers would fuse their products into one that shows no factors."""
    module: Any = model.module
    if not can_choose(module) or module.config._experts_implementation == ONE_BY_ONE:
        return
    try:
        fused = _tapped(model, ids)[0]
    except RuntimeError:  # there is no fused product in this number format, or on this device: nothing to compare with
        module.set_experts_implementation(ONE_BY_ONE)
        return
    module.set_experts_implementation(ONE_BY_ONE)
    error = _relative(_tapped(model, ids)[0], fused)
    _compare("the model with its experts one by one", error, fused.dtype, model.anatomy)


def _with_experts_together(
    model: LoadedModel, ids: torch.Tensor, found: Flow, logits: torch.Tensor, coverage: Coverage
) -> Coverage:
    """Have the experts of all prompts of a batch run together, if that gives the same logits, factors and gradients.

    Returns:
        The coverage, in which biases of experts are no reason any more for prompts to run alone.
    """
    module: Any = model.module
    if not can_choose(module):
        return coverage
    module.set_experts_implementation(TOGETHER)
    try:
        taps = _pass_with(model, ids, coverage)
        taps.verify()
        same = bool(taps.flow.stacks) and same_uses(found, taps.flow, coverage, _tolerance(logits.dtype))
        same = same and _relative(_tapped(model, ids)[0], logits) <= _tolerance(logits.dtype)
    except (ArchitectureError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        same = False
        LOGGER.debug("experts cannot run together: %s", error)
    if not same:
        module.set_experts_implementation(ONE_BY_ONE)
        return coverage
    return replace(coverage, alone=bool(taps.dense))


def _some_ids(model: LoadedModel, n_tokens: int = N_TOKENS) -> torch.Tensor:
    """[1, t] ids spread over the vocabulary, different ones if it is as large."""
    n = model.n_embeddings
    ids = (torch.arange(1, n_tokens + 1) * n) // (n_tokens + 2)
    return ids[None].to(model.device)


def _logits(model: LoadedModel, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    extra: dict[str, object] = {"use_cache": False} if accepts(model.module, "use_cache") else {}
    if model.explicit_positions:
        extra["position_ids"] = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape[0], -1)
    return model.module(input_ids=ids, attention_mask=torch.ones_like(ids) if mask is None else mask, **extra).logits


def _tapped(model: LoadedModel, ids: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, Flow]:
    """Logits of a pass in which embeddings need gradients, as in recording: a bare no-gradient pass would make
    bitsandbytes repack 4-bit weights on some CPUs, after which they give no gradient.
    """
    with torch.enable_grad(), Taps(model.module, model.anatomy, _lengths(ids, mask), factors=False) as flow:
        return _logits(model, ids, mask).detach(), flow


def _lengths(ids: torch.Tensor, mask: torch.Tensor | None) -> list[int]:
    return [ids.shape[1]] * ids.shape[0] if mask is None else mask.sum(dim=1).tolist()


def _positions_agree(model: LoadedModel, ids: torch.Tensor) -> bool:
    """Whether 0..T-1 is this model's own numbering; if not (RoBERTa), it is left to number for itself."""
    if not accepts(model.module, "position_ids"):
        return False
    own, given = (_tapped(replace(model, explicit_positions=explicit), ids)[0] for explicit in (False, True))
    return _relative(given, own) <= _tolerance(own.dtype)


def _n_positions(flow: Flow, module: PreTrainedModel) -> int | None:
    """How many tokens the tables of positions have room for: those whose rows are looked up one after the other."""
    room = []
    of_tokens = next(n for n, p in module.named_parameters() if p is module.get_input_embeddings().weight)
    for call in flow.calls:
        ids = call.caught_input.flatten()
        if not call.map.lookup or call.map.parameter == of_tokens:
            continue
        if torch.equal(ids, ids[0] + torch.arange(len(ids), device=ids.device)):
            room.append(call.map.shape[0] - int(ids[0]))
    return min(room, default=None)


def _check_chain(flow: Flow, outputs: BlockOutputs, anatomy: Anatomy) -> None:
    missing = sorted(set(range(anatomy.n_layers + 1)) - (set(flow.residual) & set(flow.residual_gradient)))
    if missing or len(outputs.hidden) != anatomy.n_layers:
        _refuse(f"the residual stream was not seen, or does not reach the loss, at layers {missing}", anatomy)
    for layer, hidden in enumerate(outputs.hidden):
        following = [flow.residual[layer + 1], *outputs.entered[layer + 1 : layer + 2]]
        if not all(torch.equal(hidden.to(given.device), given) for given in following):
            _refuse(f"what leaves block {layer} is not what enters block {layer + 1}", anatomy)


def _check_padding(model: LoadedModel, ids: torch.Tensor, logits: torch.Tensor) -> tuple[set[str], bool]:
    """Does a shorter prompt padded to the batch's length (linear maps leave padding out) give its own logits?

    The beginning of the longer one must, in a causal model: `sight` cannot detect a choice that has no gradient.

    Returns:
        Matrices in whose products the tokens of the two prompts cannot be told apart, and whether one prompt of a batch
        changes what another gives.
    """
    if model.prompts_interact:
        return set(), True
    n_short = N_TOKENS - 2
    mask = torch.ones(2, N_TOKENS, dtype=torch.long, device=ids.device)
    mask[1, n_short:] = 0
    padded = ids.repeat(2, 1)
    padded[1, n_short:] = model.pad_id
    batched, flow = _tapped(model, padded, mask)
    if _computed_in(model, logits) not in (torch.float32, torch.float64):
        # 16-bit products of another shape are rounded in another way, by more than a wrong mask might show.
        return flow.mixed, False
    alone, _ = _tapped(model, ids[:, :n_short])
    if model.task == CAUSAL and not _relative(logits[:, :n_short], alone) <= _tolerance(logits.dtype):
        require_task(model, MASKED)
    errors = _relative(batched[1:, :n_short], alone), _relative(batched[:1], logits)
    interact = not max(errors) <= _tolerance(logits.dtype)
    if interact:
        LOGGER.info("each prompt runs alone: in a batch its results change by %.1e (relative)", max(errors))
    return flow.mixed, interact


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
