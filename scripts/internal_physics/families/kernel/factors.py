"""The factored gradients of one layer from many records: its weights, and their factors read together."""

from collections.abc import Sequence
from dataclasses import dataclass

from internal_physics.ground.errors import StoreError
from internal_physics.models.kinds import kind_of
from internal_physics.records.gradients import FactoredGradient
from internal_physics.records.info import ParameterInfo
from internal_physics.records.read_together import with_factors
from internal_physics.records.targets import require_one_target
from internal_physics.records.trace import Trace


@dataclass(frozen=True)
class Weight:
    """A matrix of the model, as all records agree on it.

    Attributes:
        name: of the parameter.
        layer: -1 before the blocks, 0..L-1 inside block l, L after them.
        kind: of map, one of models.kinds.
        map_shape: (out, in), however the parameter is stored.
    """

    name: str
    layer: int
    kind: str
    map_shape: tuple[int, int]


def weights_of(traces: Sequence[Trace], kept: Sequence[str] = ("factors",)) -> list[Weight]:
    """The weights of the model that records are of, in the order of the first record.

    Args:
        traces: records.
        kept: what they may keep of the weight gradients.

    Raises:
        StoreError: naming a record of another model, or one that keeps something else; or if the gradients are of
            different targets.
    """
    if not traces:
        return []
    first, *others = traces
    for trace in traces:
        if trace.info.weight_gradients not in kept:
            raise StoreError(
                f"the record of {trace.info.prompt!r} keeps weight_gradients: {trace.info.weight_gradients}",
                expected=f"weight_gradients: {' or '.join(kept)}",
                todo=f"set weight_gradients: {kept[0]} for its prompt set",
            )
    expected = _described(first)
    for trace in others:
        if _described(trace) != expected:
            raise StoreError(
                f"the record of {trace.info.prompt!r} has other weights than that of {first.info.prompt!r}",
                expected="records of one model",
            )
    require_one_target(traces)
    tables = {p.name for trace in traces for p in trace.info.parameters if p.is_table}
    return [_weight(p, first, p.name in tables) for p in first.info.parameters]


def gradients_of(traces: Sequence[Trace], weights: Sequence[Weight]) -> dict[str, list[FactoredGradient]]:
    """Weight -> its gradient in every record. The factors of a record are read in one call, shared inputs once."""
    found: dict[str, list[FactoredGradient]] = {weight.name: [] for weight in weights}
    for trace in traces:
        in_memory = with_factors(trace, [weight.name for weight in weights])
        for weight in weights:
            found[weight.name].append(in_memory.gradient(weight.name))
    return found


def _described(trace: Trace) -> list[tuple]:
    return [(p.name, p.shape, p.layer, p.transposed) for p in trace.info.parameters]


def _weight(info: ParameterInfo, trace: Trace, is_table: bool) -> Weight:
    kind = kind_of(info.name, layer=info.layer, n_layers=trace.n_layers, lookup=is_table)
    n_out, n_in = info.shape[::-1] if info.transposed else info.shape
    return Weight(info.name, info.layer, kind, (n_out, n_in))
