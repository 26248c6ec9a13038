"""Factors of several weights of a record, read from its file in one call: a call for each takes twice as long."""

from collections.abc import Iterator, Sequence

from internal_physics.records.gradients import FactoredGradient
from internal_physics.records.info import ParameterInfo
from internal_physics.records.trace import GivesSeveral, Key, Trace

_BYTES_AT_ONCE = 2**25  # of factors in float32; those of a larger weight are read alone


def with_factors(trace: Trace, parameters: Sequence[str]) -> Trace:
    """The trace with the factors of these weights in memory, and no other tensors; shared inputs are read once.

    A trace that is in memory is returned as it is.

    Raises:
        StoreError: as `Trace.parameter` and reading do.
    """
    if isinstance(trace.tensors, dict):
        return trace
    keys = list(dict.fromkeys(key for name in parameters for key in _keys(trace.parameter(name))))
    if isinstance(trace.tensors, GivesSeveral) and keys:
        return Trace(trace.info, dict(zip(keys, trace.tensors.read_many(keys), strict=True)))
    return Trace(trace.info, {key: trace.tensors[key] for key in keys})


def gradients_in_turn(trace: Trace, parameters: Sequence[str]) -> Iterator[FactoredGradient]:
    """`trace.gradient` of each weight in turn; factors of some 30 MB are in memory, or those of one larger weight.

    Raises:
        StoreError: as `Trace.gradient`.
    """
    for block in _blocks(trace, parameters):
        in_memory = with_factors(trace, block)
        yield from (in_memory.gradient(name) for name in block)


def _blocks(trace: Trace, parameters: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    used = 0
    for name in parameters:
        n_bytes = 4 * trace.n_tokens * sum(trace.parameter(name).shape)
        if block and used + n_bytes > _BYTES_AT_ONCE:
            yield block
            block, used = [], 0
        block.append(name)
        used += n_bytes
    if block:
        yield block


def _keys(info: ParameterInfo) -> list[Key]:
    keys = []
    for use in info.uses:
        if use.dense:
            keys.append(Key(use.site, use.layer, "gradient"))
            continue
        keys.append(Key(use.site, use.layer, "output_gradient"))
        given = Key(use.site, use.layer, "ids") if use.lookup else Key(use.input_site, use.input_layer, "input")
        keys.append(given)
    return keys
