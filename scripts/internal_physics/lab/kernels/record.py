"""A snapshot and the scalars that are compared → their tangent kernel, by the recorder and the kernel of all models."""

from collections.abc import Sequence

from internal_physics.config.options.record import RecordOptions
from internal_physics.config.prompts import Prompt
from internal_physics.families.kernel.parts import TangentKernel
from internal_physics.families.kernel.sketched import sketched_kernel
from internal_physics.families.kernel.tangent_kernel import tangent_kernel
from internal_physics.lab.kernels.study import Scalar
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import record_batches
from internal_physics.recording.selfcheck import check_model

MOST_EXACT = 1_000_000
"""Parameters of a model whose gradients are kept whole, factored; those of a larger one are sketched."""


def kernel_of(snapshot: str, scalars: Sequence[Scalar]) -> TangentKernel:
    """The kernel of the scalars, in their order.

    Args:
        snapshot: folder of a causal model.
        scalars: at least one.

    Raises:
        UserError: for a snapshot that cannot be loaded, or whose anatomy fails the self-check.
    """
    model = check_model(load_snapshot(snapshot, LoadOptions())).model
    is_small = model.module.num_parameters() <= MOST_EXACT
    options = RecordOptions(
        weight_gradients="factors" if is_small else "sketch",
        target="log_probability",
        batch_size=64,
        batch_tokens=4096,
        attention_entropy=False,
        logits=False,
    )
    encoded = [_encoded(scalar, place) for place, scalar in enumerate(scalars)]
    traces = {trace.info.prompt: trace for trace in record_batches(model, encoded, options)}
    ordered = [traces[e.prompt.name] for e in encoded]
    return tangent_kernel(ordered) if is_small else sketched_kernel(ordered)


def _encoded(scalar: Scalar, place: int) -> Encoded:
    ids = tuple(map(int, scalar.ids))
    text = " ".join(map(str, ids))
    return Encoded(Prompt(f"scalar_{place}", text), ids, tuple(text.split()), len(ids) - 1, int(scalar.next_id))
