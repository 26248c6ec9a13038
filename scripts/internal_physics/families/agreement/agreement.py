"""Agreement of one record with a reference: the same prompt through two models, or in two conditions of one model.

Residuals and their gradients are compared layer by layer, each as one vector of T·d numbers; weight gradients map by
map, from their factors. Sums are in float64, and some weights or one layer of both records are in memory at a time.

Index conventions: l residual position 0..L, t token, d width.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from internal_physics.families.agreement.prediction import Listed, best_token_agrees, kl_at_least, kl_nats
from internal_physics.families.agreement.statuses import NO_DIRECTION, NO_LOGITS, NOT_RECORDED, ONLY_SKETCHED
from internal_physics.ground.status import OK
from internal_physics.models.kinds import kind_of
from internal_physics.records.gradients import FactoredGradient
from internal_physics.records.info import ParameterInfo
from internal_physics.records.read_together import gradients_in_turn
from internal_physics.records.targets import why_other_target
from internal_physics.records.trace import Key, Trace

OF_RESIDUALS = ("residual_cosine", "residual_distance")
OF_GRADIENTS = ("gradient_cosine", "gradient_distance")
OF_WEIGHTS = ("weight_gradient_cosine", "weight_gradient_distance")
OF_PREDICTIONS = ("kl_nats", "best_token_agrees")
LOWER_BOUND = "kl_at_least_nats"  # besides kl_nats, where that has no number because logits are not recorded
QUANTITIES = (*OF_RESIDUALS, *OF_GRADIENTS, *OF_WEIGHTS, *OF_PREDICTIONS)


class AgreementRow(NamedTuple):
    """One number that measures how far two records of a prompt agree.

    Attributes:
        quantity: one of QUANTITIES, or LOWER_BOUND.
        value: dimensionless, or in nats; NaN if there is none, and then status says why.
        layer: residual position 0..L; of a weight its block (-1 before the blocks, L after them); None for the prompt.
        parameter: the weight; None elsewhere.
        kind: its kind of map; None elsewhere.
        status: "ok", or a plain phrase.
    """

    quantity: str
    value: float
    layer: int | None = None
    parameter: str | None = None
    kind: str | None = None
    status: str = OK


class _Compared(NamedTuple):
    """Norms of two vectors, their inner product and the norm of their difference."""

    norm: float
    reference_norm: float
    dot: float
    difference_norm: float


def why_not_comparable(trace: Trace, reference: Trace) -> str:
    """Why two records cannot be compared; "" if blocks, width and tokens are the same."""
    own, other = trace.info, reference.info
    if own.n_layers != other.n_layers:
        return f"not comparable: {own.n_layers} blocks, the reference has {other.n_layers}"
    if own.width != other.width:
        return f"not comparable: width {own.width}, the reference has {other.width}"
    return "" if own.token_ids == other.token_ids else "not comparable: other tokens than the reference"


def agreement_rows(trace: Trace, reference: Trace) -> list[AgreementRow]:
    """All numbers of one prompt; if the two cannot be compared, one row per quantity with the reason."""
    if why := why_not_comparable(trace, reference):
        return [AgreementRow(quantity, math.nan, status=why) for quantity in QUANTITIES]
    return [
        *_stream_rows(trace, reference),
        *_weight_rows(trace, reference),
        *_prediction_rows(trace, reference),
    ]


def _stream_rows(trace: Trace, reference: Trace) -> Iterator[AgreementRow]:
    other_target = why_other_target(trace.info, reference.info)
    for layer in range(trace.n_layers + 1):
        for quantities, what in ((OF_RESIDUALS, "activation"), (OF_GRADIENTS, "gradient")):
            if other_target and what == "gradient":
                yield from (AgreementRow(q, math.nan, layer, status=other_target) for q in quantities)
                continue
            pair = (record.tensor("residual", layer, what) for record in (trace, reference))
            yield from _pair_rows(quantities, _compare_arrays(*pair), layer=layer)


def _weight_rows(trace: Trace, reference: Trace) -> Iterator[AgreementRow]:
    """Rows for every weight of either record; one row without a weight if a record keeps no factors."""
    kept = {record.info.weight_gradients for record in (trace, reference)}
    status = NOT_RECORDED if "none" in kept else NO_DIRECTION if "norms" in kept else ONLY_SKETCHED
    if kept == {"factors"}:
        status = why_other_target(trace.info, reference.info)
    if status:
        yield from (AgreementRow(quantity, math.nan, status=status) for quantity in OF_WEIGHTS)
        return
    infos = {info.name: info for record in (reference, trace) for info in map(record.parameter, record.parameters)}
    why_not = {name: _unlike(trace, reference, info) for name, info in infos.items()}
    alike = [name for name in infos if not why_not[name]]
    pairs = zip(alike, *(gradients_in_turn(record, alike) for record in (trace, reference)), strict=True)
    compared = {name: _compare_factored(own, other) for name, own, other in pairs}
    for name in dict.fromkeys((*trace.parameters, *reference.parameters)):
        info = infos[name]
        kind = kind_of(name, layer=info.layer, n_layers=trace.n_layers, lookup=info.is_table)
        if name in compared:
            yield from _pair_rows(OF_WEIGHTS, compared[name], info.layer, name, kind)
        else:
            yield from (AgreementRow(q, math.nan, info.layer, name, kind, why_not[name]) for q in OF_WEIGHTS)


def _unlike(trace: Trace, reference: Trace, info: ParameterInfo) -> str:
    """Why a weight has no counterpart; "" if it has one."""
    if info.name not in trace.parameters:
        return "the model has no weight of this name"
    if info.name not in reference.parameters:
        return "the reference has no weight of this name"
    other = reference.parameter(info.name)
    same = (other.shape, other.transposed) == (info.shape, info.transposed)
    return "" if same else "the weight has another shape in the reference"


def _prediction_rows(trace: Trace, reference: Trace) -> Iterator[AgreementRow]:
    keys = [Key("logits", trace.n_layers, f"top_{what}") for what in ("ids", "log_probabilities")]
    if not all(key in record.tensors for record in (trace, reference) for key in keys):
        for quantity in OF_PREDICTIONS:
            yield AgreementRow(quantity, math.nan, status="no prediction is recorded")
        return
    listed = [Listed(*(record.tensors[key] for key in keys)) for record in (reference, trace)]
    yield from _divergence_rows(trace, reference, listed)
    yield _finite_row("best_token_agrees", float(best_token_agrees(*listed)))


def _divergence_rows(trace: Trace, reference: Trace, listed: Sequence[Listed]) -> Iterator[AgreementRow]:
    """The exact divergence; without the logits of both records its reason, and the lower bound."""
    if not (trace.has_logits and reference.has_logits):
        yield AgreementRow("kl_nats", math.nan, status=NO_LOGITS)
        yield _finite_row(LOWER_BOUND, kl_at_least(*listed))
        return
    log_p, log_q = reference.log_probabilities(), trace.log_probabilities()
    if len(log_p) == len(log_q):
        yield _finite_row("kl_nats", kl_nats(log_p, log_q))
    else:
        why = f"not comparable: {len(log_q)} tokens in the vocabulary, the reference has {len(log_p)}"
        yield AgreementRow("kl_nats", math.nan, status=why)


def _finite_row(quantity: str, value: float) -> AgreementRow:
    return AgreementRow(quantity, value, status=OK if math.isfinite(value) else "not finite")


def _compare_arrays(values: np.ndarray, reference: np.ndarray) -> _Compared:
    """Sums of products, pairwise and in one thread: for vectors of this size, BLAS loses more time to its threads."""
    x, r = (array.astype(np.float64) for array in (values, reference))
    with np.errstate(all="ignore"):
        norm, reference_norm, difference = (math.sqrt(np.sum(np.square(a))) for a in (x, r, x - r))
        return _Compared(norm, reference_norm, float(np.sum(x * r)), difference)


def _compare_factored(gradient: FactoredGradient, reference: FactoredGradient) -> _Compared:
    """Exact inner products of factored gradients; a distance is accurate to about 1e-8 of the norms."""
    dot, squared, reference_squared = gradient.dot(reference), gradient.dot(gradient), reference.dot(reference)
    difference = math.sqrt(max(squared + reference_squared - 2 * dot, 0.0))
    return _Compared(math.sqrt(max(squared, 0.0)), math.sqrt(max(reference_squared, 0.0)), dot, difference)


def _pair_rows(
    quantities: tuple[str, str],
    compared: _Compared,
    layer: int | None = None,
    parameter: str | None = None,
    kind: str | None = None,
) -> Iterator[AgreementRow]:
    """Cosine and relative distance; a zero vector has no direction, and a distance relative to zero is undefined."""
    norm, reference_norm, dot, difference = compared
    of_distance = _zero_status(reference=reference_norm) if math.isfinite(sum(compared)) else "not finite"
    of_cosine = _zero_status(model=norm, reference=reference_norm) if math.isfinite(sum(compared)) else "not finite"
    cosine = max(-1.0, min(1.0, dot / norm / reference_norm)) if of_cosine == OK else math.nan
    distance = difference / reference_norm if of_distance == OK else math.nan
    yield AgreementRow(quantities[0], cosine, layer, parameter, kind, of_cosine)
    yield AgreementRow(quantities[1], distance, layer, parameter, kind, of_distance)


def _zero_status(**norms: float) -> str:
    zeros = [f"the {name}" for name, norm in norms.items() if norm == 0]
    return f"zero in {' and '.join(zeros)}" if zeros else OK
