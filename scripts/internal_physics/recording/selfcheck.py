"""Proof of an anatomy on one short pass, before anything is recorded.

An architecture that fails is refused with what did not match; a weight whose gradient is not recorded is named.
"""

import logging
from dataclasses import dataclass, replace

import torch
from torch import nn
from transformers import PreTrainedModel

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts
from internal_physics.models.coverage import EVERYTHING, Coverage, in_words
from internal_physics.models.loading import LoadedModel
from internal_physics.models.readout import readout, with_stream
from internal_physics.recording.block_outputs import BlockOutputs
from internal_physics.recording.closeness import TOLERANCE, refusal, relative_difference, require_close
from internal_physics.recording.coverage import find_coverage, reaches_loss, same_uses, with_longer
from internal_physics.recording.expert_checks import show_experts, with_experts_together
from internal_physics.recording.finite import refuse_unfinite_weights, require_finite
from internal_physics.recording.flow import Flow
from internal_physics.recording.known_settings import naming_setting
from internal_physics.recording.routing import unrouted
from internal_physics.recording.short_passes import N_TOKENS, logits_of, pass_with, some_ids, some_loss, tapped
from internal_physics.recording.sight import CAUSAL, MASKED, require_task, sight, token_rows
from internal_physics.recording.taps import Taps

LOGGER = logging.getLogger("internal_physics")
LONGER = 160  # of a second pass where the first leaves weights out: DeepSeek V4 sums up 128 tokens before it uses them


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
        raise refusal(f"{type(error).__name__}: {error}", model.anatomy) from error


def _prove(model: LoadedModel) -> CheckedModel:
    module, anatomy = model.module, with_stream(model.module, model.anatomy)
    model, ids = replace(model, anatomy=anatomy), some_ids(model)
    show_experts(model, ids)
    model = replace(model, explicit_positions=_positions_agree(model, ids))
    outputs, taps = BlockOutputs(module, anatomy, N_TOKENS), Taps(module, anatomy, [N_TOKENS], thorough=True)
    with torch.enable_grad(), outputs, taps as flow:
        logits = logits_of(model, ids)
        tokens = token_rows(flow, ids) if anatomy.encoder_path else None
        seen = sight(outputs.last, flow, tokens) if outputs.last is not None else None
        some_loss(logits, ids).backward()
    taps.verify()
    require_finite(flow.residual, logits, module, anatomy.architecture)
    _check_chain(flow, outputs, anatomy)
    require_task(model, seen)
    with torch.enable_grad():
        again = readout(module, anatomy, flow.residual[anatomy.n_layers].requires_grad_(), n_members=outputs.n_members)
    require_close("readout(residual[L]) against the logits", relative_difference(again, logits), logits.dtype, anatomy)
    coverage = find_coverage(module, anatomy, taps, lambda dense: pass_with(model, ids, dense))
    model = replace(model, n_positions=_n_positions(flow, module))
    if any(anatomy.is_in_blocks(name) for name in coverage.unreached):
        coverage = _with_longer_prompt(model, coverage)
    watched = pass_with(model, ids, replace(coverage, every_function=False))
    coverage = replace(coverage, every_function=not same_uses(flow, watched.flow, coverage, TOLERANCE[logits.dtype]))
    coverage = with_experts_together(model, ids, flow, logits, coverage)
    mixed, interact = _check_padding(model, ids, logits)
    alone = coverage.alone or any(call.map.parameter in mixed for call in flow.calls if reaches_loss(call))
    model = replace(model, prompts_interact=interact)
    _say_what_is_unrouted(module, anatomy)
    return CheckedModel(replace(model, coverage=replace(coverage, alone=alone)))


def _with_longer_prompt(model: LoadedModel, coverage: Coverage) -> Coverage:
    """Add what a prompt of LONGER tokens reaches, if the model reads so many: some parts wait for enough tokens."""
    ids = some_ids(model, min(LONGER, model.context_length or LONGER))
    try:
        taps = pass_with(model, ids, EVERYTHING, thorough=True)
        longer = find_coverage(model.module, model.anatomy, taps, lambda dense: pass_with(model, ids, dense))
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


def _positions_agree(model: LoadedModel, ids: torch.Tensor) -> bool:
    """Whether 0..T-1 is this model's own numbering; if not (RoBERTa), it is left to number for itself."""
    if not accepts(model.module, "position_ids"):
        return False
    own, given = (tapped(replace(model, explicit_positions=explicit), ids)[0] for explicit in (False, True))
    return relative_difference(given, own) <= TOLERANCE[own.dtype]


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
        raise refusal(f"the residual stream was not seen, or does not reach the loss, at layers {missing}", anatomy)
    for layer, hidden in enumerate(outputs.hidden):
        following = [flow.residual[layer + 1], *outputs.entered[layer + 1 : layer + 2]]
        if not all(torch.equal(hidden.to(given.device), given) for given in following):
            raise refusal(f"what leaves block {layer} is not what enters block {layer + 1}", anatomy)


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
    batched, flow = tapped(model, padded, mask)
    if _computed_in(model, logits) not in (torch.float32, torch.float64):
        # 16-bit products of another shape are rounded in another way, by more than a wrong mask might show.
        return flow.mixed, False
    alone, _ = tapped(model, ids[:, :n_short])
    if model.task == CAUSAL and not relative_difference(logits[:, :n_short], alone) <= TOLERANCE[logits.dtype]:
        require_task(model, MASKED)
    errors = relative_difference(batched[1:, :n_short], alone), relative_difference(batched[:1], logits)
    interact = not all(error <= TOLERANCE[logits.dtype] for error in errors)  # NaN is not close, too
    if interact:
        LOGGER.info("each prompt runs alone: in a batch its results change by %.1e (relative)", max(errors))
    return flow.mixed, interact


def _computed_in(model: LoadedModel, logits: torch.Tensor) -> torch.dtype:
    """Number format in which the blocks' linear maps are multiplied; for 4-bit ones often narrower than that of the
    logits.
    """
    return logits.dtype if model.precision is None else getattr(torch, model.precision.compute_dtype)
