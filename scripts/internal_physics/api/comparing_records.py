"""Two records side by side, as plain rows: scores, layers, weights, predictions. No pandas, no torch."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from internal_physics.api.prompt_scores import block_rows, score_rows
from internal_physics.families.agreement.agreement import LOWER_BOUND, AgreementRow, agreement_rows, why_not_comparable
from internal_physics.families.residual_gain.residual_gain import top_tokens
from internal_physics.ground.status import OK, join_status
from internal_physics.records.trace import Trace

N_WEIGHTS = 5
_RESIDUAL = ("residual_cosine", "residual_distance", "gradient_cosine", "gradient_distance")
_PREDICTION = ("kl_nats", LOWER_BOUND, "best_token_agrees")
_LABELS = ("model", "condition", "prompt_set", "dtype", "quantization")


@dataclass(frozen=True)
class Comparison:
    """Two records of prompts, a and b.

    Attributes:
        a, b: what they are: model, condition, prompt, text, tokens.
        scores: rows (quantity, meaning, a, b, difference b − a, status).
        residuals: by residual l: cosine and distance ‖a − b‖ / ‖b‖ of residuals and of gradients.
        blocks: by block: gain, relative_gradient_change and gradient_cosine of both, suffixed _a and _b.
        weights: the weights whose gradients agree least: (parameter, kind, layer, cosine, distance, status).
        n_weights: how many weights have a cosine; 0 where a record keeps no factors.
        prediction: rows (quantity, value, status).
        top_tokens: the most probable next tokens of each, {"a": [...], "b": [...]}.
        refused: sentences about what cannot be compared.
    """

    a: dict[str, Any]
    b: dict[str, Any]
    scores: list[dict[str, Any]]
    residuals: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    weights: list[dict[str, Any]]
    n_weights: int
    prediction: list[dict[str, Any]]
    top_tokens: dict[str, list[dict[str, Any]]]
    refused: list[str]

    def to_dict(self) -> dict[str, Any]:
        """All parts as plain types."""
        return asdict(self)


def compare_records(a: Trace, b: Trace) -> Comparison:
    """Compare record `a` with the reference `b`. What cannot be compared is left empty, and `refused` says why."""
    why = why_not_comparable(a, b).replace("not comparable: ", "").replace("the reference", "b")
    rows = [] if why else agreement_rows(a, b)
    weights = _weights(rows)
    refused = [f"residuals, gradients and predictions: {why}"] if why else list(_refused(rows))
    same_depth = a.n_layers == b.n_layers
    return Comparison(
        a=_identity(a),
        b=_identity(b),
        scores=list(_scores(a, b)),
        residuals=list(_residuals(rows)),
        blocks=list(_blocks(a, b)) if same_depth else [],
        weights=weights[:N_WEIGHTS],
        n_weights=sum(row["status"] == OK for row in weights),
        prediction=[_plain(row) for row in rows if row.quantity in _PREDICTION],
        top_tokens={name: [asdict(token) for token in top_tokens(trace)] for name, trace in (("a", a), ("b", b))},
        refused=refused if same_depth else [f"blocks: {a.n_layers} and {b.n_layers} of them", *refused],
    )


def _identity(trace: Trace) -> dict[str, Any]:
    labels = {key: str(trace.info.labels[key]) for key in _LABELS if trace.info.labels.get(key)}
    return labels | {"prompt": trace.info.prompt, "text": trace.info.text, "tokens": list(trace.info.tokens)}


def _scores(a: Trace, b: Trace) -> Iterator[dict[str, Any]]:
    for own, other in zip(score_rows(a), score_rows(b), strict=True):
        with np.errstate(invalid="ignore"):
            difference = float(np.float64(other["value"]) - own["value"])
        notes = [f"{name}: {row['status']}" for name, row in (("a", own), ("b", other)) if row["status"] != OK]
        named = {"quantity": own["quantity"], "meaning": own["meaning"], "a": own["value"], "b": other["value"]}
        yield {**named, "difference": difference, "status": join_status(*notes)}


def _residuals(rows: list[AgreementRow]) -> Iterator[dict[str, Any]]:
    of_layers: dict[int, dict[str, AgreementRow]] = {}
    for row in rows:
        if row.quantity in _RESIDUAL and row.layer is not None:
            of_layers.setdefault(row.layer, {})[row.quantity] = row
    for layer, by_quantity in of_layers.items():
        values = {quantity: row.value for quantity, row in by_quantity.items()}
        yield {"layer": layer, **values, "status": join_status(*(row.status for row in by_quantity.values()))}


def _blocks(a: Trace, b: Trace) -> Iterator[dict[str, Any]]:
    for own, other in zip(block_rows(a), block_rows(b), strict=True):
        names = [name for name in own if name not in ("block", "status")]
        pairs = {f"{name}_{which}": row[name] for name in names for which, row in (("a", own), ("b", other))}
        yield {"block": own["block"], **pairs, "status": join_status(own["status"], other["status"])}


def _weights(rows: list[AgreementRow]) -> list[dict[str, Any]]:
    """All weights, those whose gradients agree least first; weights without a cosine are at the end."""
    distances = {row.parameter: row.value for row in rows if row.quantity == "weight_gradient_distance"}
    found = [
        {
            "parameter": row.parameter,
            "kind": row.kind,
            "layer": row.layer,
            "cosine": row.value,
            "distance": distances[row.parameter],
            "status": row.status,
        }
        for row in rows
        if row.quantity == "weight_gradient_cosine" and row.parameter is not None
    ]
    return sorted(found, key=lambda row: (math.isnan(row["cosine"]), row["cosine"]))


def _refused(rows: list[AgreementRow]) -> Iterator[str]:
    of_all = {row.quantity: row.status for row in rows if row.layer is None and row.status != OK}
    if "weight_gradient_cosine" in of_all:
        yield f"weight gradients: {of_all['weight_gradient_cosine']}"
    if "kl_nats" in of_all:
        yield f"KL divergence of the predictions: {of_all['kl_nats']}"


def _plain(row: AgreementRow) -> dict[str, Any]:
    return {"quantity": row.quantity, "value": row.value, "status": row.status}
