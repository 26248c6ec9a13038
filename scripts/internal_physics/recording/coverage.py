"""What of a model's weights is recorded, found from one short pass in which every use of a weight was noted."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.coverage import Coverage, weight_of
from internal_physics.recording.factors import place_calls
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.stacks import StackCall
from internal_physics.recording.taps import Taps
from internal_physics.records.trace import Key

MOST_KEPT_WHOLE = 2**20  # numbers of a gradient that is kept whole, for every prompt
MOST_PROBED = 2**26  # numbers of all gradients together that the check asks torch for


def find_coverage(module: nn.Module, anatomy: Anatomy, taps: Taps, run: Callable[[Coverage], Taps]) -> Coverage:
    """Which weights have factors, which are kept whole, and which are not recorded.

    Args:
        module: the model.
        anatomy: where its parts are.
        taps: thorough ones, after a pass.
        run: repeats that pass with the given weights kept whole, and gives its taps.
    """
    shapes = {m.parameter: m.shape for m in anatomy.maps}
    weights = {name: p for name, p in module.named_parameters() if p.ndim >= 2 or name in shapes}
    reached = {weight_of(call.map.parameter) for call in taps.flow.calls if reaches_loss(call)}
    unclear = {*taps.watch.others, *taps.maps.contradictory}
    asked = _affordable({n: p for n, p in weights.items() if n in unclear or n not in reached})
    has_gradient = set(run(Coverage(dense=asked)).flow.dense) if asked else set()
    dense = [name for name in asked if name in has_gradient and weights[name].numel() <= MOST_KEPT_WHOLE]
    partial = [name for name in weights if name in unclear and name not in dense and name in {*reached, *has_gradient}]
    unreached = [name for name in weights if name not in {*reached, *dense, *partial}]
    idle = [name for name in unreached if name in asked and name not in has_gradient]
    sizes = {n: math.prod(shapes.get(n, p.shape)) for n, p in weights.items() if n not in idle}  # packed: as used
    lost = sum(sizes.get(name, 0) for name in (*partial, *unreached))
    share = 1 - lost / max(sum(sizes.values()), 1)
    whole = sum(weights[name].numel() for name in dense)
    kept = _factor_numbers(taps, {*dense, *partial}) / math.prod(taps.packing.shape)
    n_matrices = len(_matrices(taps, {*dense, *partial})) + len(dense)
    return Coverage(bool(dense), tuple(dense), tuple(partial), tuple(unreached), share, kept, whole, n_matrices)


def with_longer(short: Coverage, long: Coverage) -> Coverage:
    """What is known from two prompts together: what the longer one reaches, and all that either uses unusually."""
    dense, partial = (tuple(dict.fromkeys((*getattr(short, of), *getattr(long, of)))) for of in ("dense", "partial"))
    unreached = tuple(name for name in short.unreached if name in long.unreached)
    dense = tuple(name for name in dense if name not in partial)
    alone = short.alone or long.alone
    return replace(long, alone=alone, dense=dense, partial=partial, unreached=unreached)


def _matrices(taps: Taps, left_out: set[str]) -> set[str]:
    """Matrices that have factors, without those of some weights."""
    reached = {call.map.parameter for call in taps.flow.calls if reaches_loss(call)}
    return {name for name in reached if weight_of(name) not in left_out}


def _factor_numbers(taps: Taps, left_out: set[str]) -> int:
    """Numbers in the factors of a pass, without those of some weights."""
    sizes: dict[Key, int] = {}
    for item in place_calls(taps.flow):
        call, use = item.call, item.use
        if weight_of(call.map.parameter) not in left_out:
            name = Key(use.site, use.layer, "ids") if use.lookup else Key(use.input_site, use.input_layer, "input")
            sizes[name] = call.caught_input.numel()
            sizes[Key(use.site, use.layer, "output_gradient")] = call.weight_side_gradient().numel()
    return sum(sizes.values())


def reaches_loss(call: Call) -> bool:
    """Whether a gradient came back to a use of a weight."""
    return call.output_gradient is not None


def same_uses(found: Flow, again: Flow, coverage: Coverage, tolerance: float) -> bool:
    """Whether another pass has caught the same uses of the weights that have factors, in the same order.

    Args:
        found: a pass in which all functions were watched.
        again: the other pass, on the same prompt.
        coverage: what is kept otherwise.
        tolerance: of inputs and output gradients, relative to their largest number.
    """
    aside = {*coverage.dense, *coverage.partial}
    expected = [call for call in found.calls if weight_of(call.map.parameter) not in aside]
    caught = [*again.calls, *(call for stack in again.stacks for call in _calls_of(stack))]
    if again.stacks:  # experts run one by one in one pass, and together in the other
        expected, caught = (sorted(calls, key=lambda call: call.map.parameter) for calls in (expected, caught))
    if len(expected) != len(caught):
        return False
    return all(_same_use(one, other, tolerance) for one, other in zip(expected, caught, strict=True))


def _calls_of(stack: StackCall) -> Iterator[Call]:
    """A use of a stack as one of each matrix, in a pass of one prompt."""
    for e, first, end in stack.rows.of_prompt(0):
        gradient = None if stack.output_gradient is None else stack.output_gradient[first:end]
        yield Call(stack.stack.maps[e], stack.input[first:end], gradient)


def _same_use(one: Call, other: Call, tolerance: float) -> bool:
    if one.map != other.map or one.first != other.first or reaches_loss(one) != reaches_loss(other):
        return False
    pairs = [(one.caught_input, other.caught_input)]
    if one.output_gradient is not None and other.output_gradient is not None:
        pairs.append((one.output_gradient, other.output_gradient))
    return all(a.shape == b.shape and _close(a, b, tolerance) for a, b in pairs)


def _close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    if a.numel() == 0 or not a.is_floating_point():
        return torch.equal(a, b)
    return bool((a - b).abs().max() <= tolerance * a.abs().max())


def _affordable(weights: Mapping[str, nn.Parameter]) -> tuple[str, ...]:
    """The smallest of some weights, as many as torch may be asked the whole gradients of."""
    total, chosen = 0, []
    for name, parameter in sorted(weights.items(), key=lambda item: item[1].numel()):
        total += parameter.numel()
        if parameter.is_floating_point() and total <= MOST_PROBED:
            chosen.append(name)
    return tuple(name for name in weights if name in set(chosen))
