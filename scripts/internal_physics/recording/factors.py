"""From one pass's calls to the tensors and the parameter table of a Trace.

Inputs shared by several maps (query, key, value; gate, up) are stored once, under the first map's name.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from internal_physics.models.anatomy import LinearMap
from internal_physics.recording.arrays import ToHost, is_on_host, to_numpy
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.packing import Packing
from internal_physics.recording.taps import Taps
from internal_physics.records.trace import Key, ParameterInfo, Use


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


def parameter_infos(placed: Sequence[PlacedCall], taps: Taps) -> tuple[ParameterInfo, ...]:
    """The matrices that the pass reached, with every use of each, in the order of the module tree.

    Those that no module's map has come last. A stack of matrices is whole: one that was not used has no uses.
    """
    uses: dict[str, list[Use]] = defaultdict(list)
    for item in placed:
        uses[item.call.map.parameter].append(item.use)
    maps = [m for m in taps.anatomy.maps if m.parameter in uses]
    for matrices in taps.maps.others():
        maps += matrices if any(m.parameter in uses for m in matrices) else []
    dense = [dense_map(taps, name) for name in taps.flow.dense]
    first = {m.parameter: m for m in reversed([*maps, *dense])}
    uses |= {m.parameter: [Use(m.site, m.layer, False, "", 0, dense=True)] for m in dense}
    return tuple(
        ParameterInfo(name, first[name].shape, first[name].layer, first[name].transposed, tuple(uses[name]))
        for name in dict.fromkeys(m.parameter for m in (*maps, *dense))
    )


def dense_map(taps: Taps, name: str) -> LinearMap:
    """The matrix as which the gradient of a weight is kept whole."""
    return taps.maps.of_dense(name, taps.flow.dense[name].shape)


@dataclass(frozen=True)
class Factors:
    """Factors of all prompts of a pass: inputs, ids and output gradients [n, …], and gradients that are kept whole."""

    packing: Packing
    rows: dict[Key, np.ndarray]
    whole: dict[Key, np.ndarray]

    def of_prompt(self, b: int) -> dict[Key, np.ndarray]:
        """Those of prompt b: views of the rows."""
        return {key: self.packing.of_prompt(rows, b) for key, rows in self.rows.items()} | self.whole


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
    maps = ((dense_map(taps, name), gradient) for name, gradient in taps.flow.dense.items())
    whole = {Key(m.site, m.layer, "gradient"): to_numpy(g.reshape(m.shape)) for m, g in maps}
    return Factors(taps.packing, rows, whole)
