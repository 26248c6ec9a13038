"""What the gradients of records are of, in words, and whether those of two records may be compared."""

from collections.abc import Iterable

from internal_physics.ground.errors import StoreError
from internal_physics.records.info import TraceInfo
from internal_physics.records.trace import Trace


def target_in_words(info: TraceInfo) -> str:
    """'loss', or what of which token, such as "logit of ' Paris'"."""
    if info.target == "loss":
        return info.target
    token = repr(info.target_token) if info.target_token else f"token {info.target_id}"
    return f"{info.target.replace('_', ' ')} of {token}"


def require_one_target(traces: Iterable[Trace]) -> None:
    """Refuse records whose gradients are of several kinds of number; their tokens may differ.

    Raises:
        StoreError: naming two of them.
    """
    first: dict[str, str] = {}
    for trace in traces:
        first.setdefault(trace.info.target, trace.info.prompt)
    if len(first) > 1:
        (one, of_one), (other, of_other) = list(first.items())[:2]
        raise StoreError(
            f"the gradients of {of_one!r} are of its {one}, those of {of_other!r} of its {other}",
            expected="records of one target",
            todo="record them again with the same target",
        )


def why_other_target(info: TraceInfo, reference: TraceInfo) -> str:
    """Why the gradients of two records of one prompt are not comparable; "" if they are of the same number.

    The loss of a masked model without answer is that of its own best token, whichever it is.
    """
    if (info.target, info.target_id) == (reference.target, reference.target_id):
        return ""
    own, other = target_in_words(info), target_in_words(reference)
    return f"these are gradients of the {own}, those of the reference of the {other}"
