"""From one pass's calls to the tensors and the parameter table of a Trace.

Inputs shared by several maps (query, key, value; gate, up) are stored once, under the first map's name.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from internal_physics.models.anatomy import LinearMap
from internal_physics.models.coverage import weight_of
from internal_physics.recording.arrays import ToHost, is_on_host, to_numpy
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.packing import Packing
from internal_physics.recording.stacks import StackCall
from internal_physics.recording.taps import Taps
from internal_physics.records.info import ParameterInfo, Use
from internal_physics.records.trace import Key


class FactorKeeper:
    """Copies the factors of each call to the host as soon as its gradient is known, beside the backward pass.

    Args:
        to_host: makes the copies; an input that maps share is copied once.
    """

    def __init__(self, to_host: ToHost) -> None:
        self._to_host = to_host
        # Inputs stay alive, so that no other tensor gets their place in memory.
        self._inputs: dict[tuple, tuple[torch.Tensor, torch.Tensor]] = {}

    def add(self, call: Call) -> None:
        """Replace the factors of a call by their copies. An input that was changed is left for `Taps.verify`."""
        given = call.caught_input
        if is_on_host(given) or given._version != call.version:
            return
        call.output_gradient = self._to_host.start(call.weight_side_gradient())
        identity = _identity(given)
        if identity not in self._inputs:
            self._inputs[identity] = given, self._to_host.start(given)
        call.input = self._inputs[identity][1]
        call.version = call.input._version

    def add_stack(self, call: StackCall) -> None:
        """The same of a use of a stack of experts."""
        if not is_on_host(call.input) and call.input._version == call.version:
            call.output_gradient, call.input = map(self._to_host.start, (call.caught_gradient, call.input))
            call.version = call.input._version


def _identity(tensor: torch.Tensor) -> tuple:
    return tensor.data_ptr(), tensor.shape, tensor.stride()


@dataclass(frozen=True)
class PlacedCall:
    """A call with the names under which its factors are kept."""

    call: Call
    use: Use


def place_calls(flow: Flow) -> list[PlacedCall]:
    """Names for every call the loss depends on, in order of execution.

    A matrix that is used more than once by a module gets numbered sites. Calls without an output gradient (a pooler's,
    say) are left out: the loss does not depend on them.
    """
    times: Counter[str] = Counter()
    owners: dict[tuple, tuple[str, int]] = {}
    placed = []
    for call in flow.calls:
        if call.output_gradient is None:
            continue
        where = call.map
        times[where.site] += 1
        site = where.site if times[where.site] == 1 else f"{where.site}#{times[where.site]}"
        identity = (*_identity(call.caught_input), where.lookup)
        input_site, input_layer = owners.setdefault(identity, (site, where.layer))
        first_out, first_in = call.first_features
        use = Use(site, where.layer, where.lookup, input_site, input_layer, first_out=first_out, first_in=first_in)
        placed.append(PlacedCall(call, use))
    return placed


def parameter_infos(placed: Sequence[PlacedCall], taps: Taps) -> list[tuple[ParameterInfo, ...]]:
    """Of each prompt: the matrices that the pass reached, with every use of each, in the order of the module tree.

    Those that no module's map has come last. A stack of matrices is whole: one that was not used has no uses.
    """
    entries = _entries(placed, taps)
    if not taps.flow.stacks:
        return [_of_prompt(entries, 0)] * taps.packing.shape[0]
    return [_of_prompt(entries, b) for b in range(taps.packing.shape[0])]


def _of_prompt(entries: Sequence[ParameterInfo | StackCall], b: int) -> tuple[ParameterInfo, ...]:
    infos: list[ParameterInfo] = []
    for entry in entries:
        infos += entry.infos(b) if isinstance(entry, StackCall) else [entry]
    return tuple(infos)


def _entries(placed: Sequence[PlacedCall], taps: Taps) -> list[ParameterInfo | StackCall]:
    """Each matrix that is the same for all prompts of the pass, and each use of a stack, which is not."""
    uses: dict[str, list[Use]] = defaultdict(list)
    for item in placed:
        uses[item.call.map.parameter].append(item.use)
    dense = dense_maps(taps)
    uses |= {m.parameter: [Use(m.site, m.layer, False, "", 0, dense=True)] for m in dense}
    stacks = {call.stack.parameter: call for call in reached_stacks(taps.flow)}
    found: dict[str, ParameterInfo | StackCall] = {}
    for matrices in ([m for m in taps.anatomy.maps if m.parameter in uses], *taps.maps.others(), dense):
        weight = weight_of(matrices[0].parameter) if matrices else ""
        if weight in stacks:
            found[weight] = stacks[weight]
        elif any(m.parameter in uses for m in matrices):
            for m in matrices:
                found.setdefault(m.parameter, _info(m, uses.get(m.parameter, ())))
    return list(found.values())


def _info(m: LinearMap, uses: Sequence[Use]) -> ParameterInfo:
    return ParameterInfo(m.parameter, m.shape, m.layer, m.transposed, tuple(uses))


def reached_stacks(flow: Flow) -> list[StackCall]:
    """The uses of stacks of experts that the loss depends on."""
    return [call for call in flow.stacks if call.output_gradient is not None]


def dense_maps(taps: Taps) -> list[LinearMap]:
    """The matrices as which the gradients of weights are kept whole."""
    flow = taps.flow
    shapes = {name: gradient.shape for name, gradient in flow.dense.items()}
    shapes |= {name: gradient.shape[1:] for name, gradient in flow.dense_by_prompt.items()}
    return [taps.maps.of_dense(name, shapes[name]) for name in taps.wiring.dense if name in shapes]


@dataclass(frozen=True)
class Factors:
    """Factors of all prompts of a pass: inputs, ids and output gradients [n, …], and gradients that are kept whole.

    Attributes:
        packing: which rows belong to which prompt.
        rows: of each use of a matrix.
        stacks: uses of stacks, with inputs and output gradients [s, …].
        whole: gradients that are kept whole, [1, …], or [b, …] where that of each prompt is known.
    """

    packing: Packing
    rows: dict[Key, np.ndarray]
    stacks: list[tuple[StackCall, np.ndarray, np.ndarray]]
    whole: dict[Key, np.ndarray]

    def of_prompt(self, b: int) -> dict[Key, np.ndarray]:
        """Those of prompt b: views of the rows."""
        found = {key: self.packing.of_prompt(rows, b) for key, rows in self.rows.items()}
        for call, given, gradient in self.stacks:
            for e, first, end in call.rows.of_prompt(b):
                of_given, of_gradient = call.stack.keys[e]
                found[of_given], found[of_gradient] = given[first:end], gradient[first:end]
        return found | {key: whole[b if len(whole) > 1 else 0] for key, whole in self.whole.items()}


def factors_of(placed: Sequence[PlacedCall], taps: Taps) -> Factors:
    """The factors of a pass, all on the host."""
    rows: dict[Key, np.ndarray] = {}
    for item in placed:
        call, use = item.call, item.use
        if use.lookup:
            rows[Key(use.site, use.layer, "ids")] = to_numpy(call.caught_input)
        elif (key := Key(use.input_site, use.input_layer, "input")) not in rows:
            rows[key] = to_numpy(call.caught_input)
        rows[Key(use.site, use.layer, "output_gradient")] = to_numpy(call.weight_side_gradient())
    stacks = [(c, to_numpy(c.input), to_numpy(c.caught_gradient)) for c in reached_stacks(taps.flow)]
    kept = {name: gradient[None] for name, gradient in taps.flow.dense.items()} | taps.flow.dense_by_prompt
    whole = {Key(m.site, m.layer, "gradient"): to_numpy(kept[m.parameter].flatten(2)) for m in dense_maps(taps)}
    return Factors(taps.packing, rows, stacks, whole)
