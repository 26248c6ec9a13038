"""What a reader of one prompt's profile must not miss: numbers that are missing, doubtful, or off scale."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.records.trace import Trace

FEWEST = 6  # values, below which nothing is off scale
DEVIATIONS = 6.0
FACTOR = 2.0
PER_DEVIATION = 1.4826  # of the median absolute deviation, for normal numbers
SINK_RATIO = 10.0
N_NAMED = 3


def remarks(
    trace: Trace,
    scores: Sequence[Mapping[str, Any]],
    blocks: Sequence[Mapping[str, Any]],
    residuals: Sequence[Mapping[str, Any]],
    states: pd.DataFrame,
) -> list[str]:
    """Sentences about what is off scale or has a status; empty if there is nothing.

    Args:
        trace: of the prompt.
        scores: as in a `Profile`.
        blocks: as in a `Profile`.
        residuals: as in a `Profile`.
        states: a row per weight, with temperature and status.
    """
    return [
        *(f"{row['quantity']}: {row['status']}" for row in scores if row["status"] != OK),
        *_of_layers("block", "block", blocks),
        *_of_layers("residual", "layer", residuals),
        *_of_weights(states),
        *_jumps("gain", "growth of the residual stream", blocks),
        *_jumps("relative_gradient_change", "change of the gradient", blocks),
        *_sinks(trace),
    ]


def off_scale(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Whether each value is off scale: by more than a factor of two and six robust deviations of the logarithms.

    The deviations are from the median; the robust one is 1.48 times the median absolute deviation.

    All False for fewer than six values, where more than half of them are equal, and for values ≤ 0 or not finite.
    """
    given = np.asarray(values, dtype=float)
    usable = np.isfinite(given) & (given > 0)
    if usable.sum() < FEWEST:
        return np.zeros(given.shape, dtype=bool)
    logs = np.log(np.where(usable, given, 1.0))
    distance = np.abs(logs - np.median(logs[usable]))
    spread = PER_DEVIATION * np.median(distance[usable])
    return usable & (spread > 0) & (distance > max(DEVIATIONS * spread, np.log(FACTOR)))


def _of_layers(noun: str, key: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    bad = [row for row in rows if row["status"] != OK]
    if bad:
        yield f"{noun} {bad[0][key]}{f' and {len(bad) - 1} more' if len(bad) > 1 else ''}: {bad[0]['status']}"


def _of_weights(states: pd.DataFrame) -> Iterator[str]:
    for status, of_status in states[states["status"] != OK].groupby("status", sort=False):
        names = [str(name) for name in of_status["parameter"]]
        more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
        yield f"{plural(len(names), 'weight')}: {status} ({', '.join(names[:N_NAMED])}{more})"


def _jumps(quantity: str, words: str, blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    values = np.array([row[quantity] for row in blocks], dtype=float)
    places = np.flatnonzero(off_scale(values))
    if places.size:
        named = ", ".join(f"{place} ({values[place]:.3g})" for place in places)
        noun = "block" if places.size == 1 else "blocks"
        median = np.median(values[np.isfinite(values)])
        yield f"{words} off scale at {noun} {named}; the median is {median:.3g}"


def _sinks(trace: Trace) -> Iterator[str]:
    """Positions whose residual is ten times the median of the others somewhere: massive activations."""
    norms = np.linalg.norm(trace.residuals().astype(np.float64), axis=2)  # [L + 1, T]
    if norms.shape[1] < 3 or not np.isfinite(norms).all():
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(norms / np.median(norms, axis=1, keepdims=True), nan=0.0, posinf=0.0)
    for position in np.flatnonzero(ratios.max(axis=0) > SINK_RATIO):
        layer = int(ratios[:, position].argmax())
        token = trace.info.tokens[position]
        yield (
            f"massive activation at token {position} ({token!r}): {ratios[layer, position]:.0f} times the median norm "
            f"of all tokens, at residual {layer}"
        )
