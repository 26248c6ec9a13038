"""From one pass's calls to the tensors and the parameter table of a Trace.

Inputs shared by several maps (query, key, value; gate, up) are stored once, under the first map's name.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from internal_physics.models.anatomy import Anatomy
from internal_physics.recording.arrays import to_numpy
from internal_physics.recording.packing import Packing
from internal_physics.recording.taps import Call, Flow
from internal_physics.records.trace import Key, ParameterInfo, Use


@dataclass(frozen=True)
class PlacedCall:
    """A call with the names under which its factors are kept."""

    call: Call
    use: Use


def place_calls(flow: Flow) -> list[PlacedCall]:
    """Names for every call the loss depends on, in order of execution.

    A module that runs more than once gets numbered sites. Calls without an output gradient (a pooler's, say)
    are left out: the loss does not depend on them.
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
        placed.append(PlacedCall(call, Use(site, where.layer, where.lookup, input_site, input_layer)))
    return placed


def parameter_infos(placed: Sequence[PlacedCall], anatomy: Anatomy) -> tuple[ParameterInfo, ...]:
    """The parameters that the pass reached, with every use of each, in the order of the module tree."""
    uses: dict[str, list[Use]] = defaultdict(list)
    for item in placed:
        uses[item.call.map.parameter].append(item.use)
    first = {m.parameter: m for m in reversed(anatomy.maps)}
    return tuple(
        ParameterInfo(name, first[name].shape, first[name].layer, first[name].transposed, tuple(uses[name]))
        for name in dict.fromkeys(m.parameter for m in anatomy.maps)
        if name in uses
    )


def factor_tensors(placed: Sequence[PlacedCall], packing: Packing, b: int) -> dict[Key, np.ndarray]:
    """Inputs, ids and output gradients of prompt b."""
    tensors: dict[Key, np.ndarray] = {}
    for item in placed:
        call, use = item.call, item.use
        if use.lookup:
            tensors[Key(use.site, use.layer, "ids")] = packing.of_prompt(call.caught_input, b).cpu().numpy()
        elif (key := Key(use.input_site, use.input_layer, "input")) not in tensors:
            tensors[key] = to_numpy(packing.of_prompt(call.caught_input, b))
        gradient = packing.of_prompt(call.weight_side_gradient(), b)
        tensors[Key(use.site, use.layer, "output_gradient")] = to_numpy(gradient)
    return tensors
