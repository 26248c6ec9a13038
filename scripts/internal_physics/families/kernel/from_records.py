"""Rule kernel: the records of one model and condition → its kernels, by source."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.sketched import sketched_kernel
from internal_physics.families.kernel.tangent_kernel import tangent_kernel
from internal_physics.records.store import read_traces


def kernels_of(records: Sequence[str | Path]) -> Iterator[KernelOf]:
    """The exact kernel of the records that keep factors; and, if any keeps sketches, that of these and of the sketched
    factors. Each is over all prompt sets together. None where no record keeps either.

    Args:
        records: of one model and condition.
    """
    traces = [trace for trace in read_traces(records) if trace.info.weight_gradients in ("factors", "sketch")]
    if not traces:
        return
    labels = traces[0].info.labels
    model, condition = str(labels["model"]), str(labels["condition"])
    exact = [trace for trace in traces if trace.info.weight_gradients == "factors"]
    if exact:
        yield KernelOf(model, condition, tangent_kernel(exact))
    if len(exact) < len(traces):
        yield KernelOf(model, condition, sketched_kernel(traces))
