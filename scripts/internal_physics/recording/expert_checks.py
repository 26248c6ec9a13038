"""How the experts of a model may run: one by one, so that their products show factors, or all of a batch together."""

import logging
from dataclasses import replace
from typing import Any

import torch

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.coverage import Coverage
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.closeness import TOLERANCE, relative_difference, require_close
from internal_physics.recording.coverage import same_uses
from internal_physics.recording.experts import ONE_BY_ONE, TOGETHER, can_choose
from internal_physics.recording.flow import Flow
from internal_physics.recording.short_passes import pass_with, tapped

LOGGER = logging.getLogger("internal_physics")


def show_experts(model: LoadedModel, ids: torch.Tensor) -> None:
    """Have experts multiply one by one, where transformers would fuse their products into one that shows no factors."""
    module: Any = model.module
    if not can_choose(module) or module.config._experts_implementation == ONE_BY_ONE:
        return
    try:
        fused = tapped(model, ids)[0]
    except RuntimeError:  # there is no fused product in this number format, or on this device: nothing to compare with
        module.set_experts_implementation(ONE_BY_ONE)
        return
    module.set_experts_implementation(ONE_BY_ONE)
    error = relative_difference(tapped(model, ids)[0], fused)
    require_close("the model with its experts one by one", error, fused.dtype, model.anatomy)


def with_experts_together(
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
        taps = pass_with(model, ids, coverage)
        taps.verify()
        same = bool(taps.flow.stacks) and same_uses(found, taps.flow, coverage, TOLERANCE[logits.dtype])
        same = same and relative_difference(tapped(model, ids)[0], logits) <= TOLERANCE[logits.dtype]
    except (ArchitectureError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        same = False
        LOGGER.debug("experts cannot run together: %s", error)
    if not same:
        module.set_experts_implementation(ONE_BY_ONE)
        return coverage
    return replace(coverage, alone=bool(taps.dense))
