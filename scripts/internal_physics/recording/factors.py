"""From one pass's calls to the tensors and the parameter table of a Trace.

Inputs shared by several maps (query, key, value; gate, up) are stored once, under the first map's name.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from internal_physics.models.anatomy import LinearMap
from internal_physics.recording.arrays import to_numpy
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.taps import Taps
from internal_physics.records.trace import Key, ParameterInfo, Use


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
        given = call.caught_input
        identity = (given.data_ptr(), given.shape, given.stride(), where.lookup)
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


def factor_tensors(placed: Sequence[PlacedCall], taps: Taps, b: int) -> dict[Key, np.ndarray]:
    """Inputs, ids and output gradients of prompt b, and the gradients that are kept whole."""
    tensors: dict[Key, np.ndarray] = {}
    of_prompt = taps.packing.of_prompt
    for item in placed:
        call, use = item.call, item.use
        if use.lookup:
            tensors[Key(use.site, use.layer, "ids")] = of_prompt(call.caught_input, b).cpu().numpy()
        elif (key := Key(use.input_site, use.input_layer, "input")) not in tensors:
            tensors[key] = to_numpy(of_prompt(call.caught_input, b))
        tensors[Key(use.site, use.layer, "output_gradient")] = to_numpy(of_prompt(call.weight_side_gradient(), b))
    for name, gradient in taps.flow.dense.items():
        m = dense_map(taps, name)
        tensors[Key(m.site, m.layer, "gradient")] = to_numpy(gradient.reshape(m.shape))
    return tensors
