"""Rule kernel: the records of one model and condition → its kernels, by source."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.sketched import sketched_kernel
from internal_physics.families.kernel.tangent_kernel import tangent_kernel
from internal_physics.records.store import read_traces, released
from internal_physics.records.trace import Trace

MOST_OPEN = 1000  # records


def kernels_of(records: Sequence[str | Path]) -> Iterator[KernelOf]:
    """The exact kernel of the records that keep factors; and, if any keeps sketches, that of these and of the sketched
    factors. Each is over all prompt sets together. None where no record keeps either.

    Args:
        records: of one model and condition.
    """
    traces = list(_usable(records))
    if not traces:
        return
    labels = traces[0].info.labels
    model, condition = str(labels["model"]), str(labels["condition"])
    exact = [trace for trace in traces if trace.info.weight_gradients == "factors"]
    if exact:
        yield KernelOf(model, condition, tangent_kernel(exact))
    if len(exact) < len(traces):
        yield KernelOf(model, condition, sketched_kernel(traces))


def _usable(records: Sequence[str | Path]) -> Iterator[Trace]:
    """The records that keep factors or sketches; of many, those of sketches are not held open."""
    for path, trace in zip(records, read_traces(records), strict=True):
        if trace.info.weight_gradients == "sketch" and len(records) > MOST_OPEN:
            yield released(path, trace)
        elif trace.info.weight_gradients in ("factors", "sketch"):
            yield trace
