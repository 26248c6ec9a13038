"""`ip.compare`: how far two traces of one prompt agree, layer by layer."""

from typing import TYPE_CHECKING

from internal_physics.api.checks import in_words, require_trace
from internal_physics.families.agreement.agreement import agreement_rows, why_not_comparable
from internal_physics.ground.errors import StoreError
from internal_physics.records.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

_UNITS = {"kl_nats": "nats", "kl_at_least_nats": "nats"}


@in_words
def compare(a: Trace, b: Trace) -> "pd.DataFrame":
    """Measure how far trace `a` agrees with the reference `b`: the numbers of table `agreement`, for one prompt.

    Args:
        a: a trace of a model, a precision, a checkpoint or a condition.
        b: the reference: the same tokens through a model of the same depth and width.

    Returns:
        Rows (quantity, value, layer, parameter, kind, status). By residual l: residual_cosine, residual_distance
        (‖a − b‖ / ‖b‖), gradient_cosine, gradient_distance. By weight, where both records keep factors:
        weight_gradient_cosine, weight_gradient_distance. Of the prompt: kl_nats, KL(b ‖ a) of the predictions, and
        best_token_agrees. A value that is missing has a status. Where a record keeps no logits, kl_nats has none, and
        kl_at_least_nats is a lower bound from the most probable tokens of both.

    Raises:
        StoreError: for traces that cannot be compared, with the reason.
    """
    import pandas as pd  # noqa: PLC0415

    require_trace(a, "compare → a")
    require_trace(b, "compare → b")
    if why := why_not_comparable(a, b):
        raise StoreError(
            why.replace("the reference", "b"),
            where=f"compare → {a.info.text!r:.60}",
            expected="the same tokens through models of one depth and width",
        )
    frame = pd.DataFrame(agreement_rows(a, b)).astype({"layer": "Int64"})
    frame.attrs["units"] = dict(_UNITS)
    return frame
