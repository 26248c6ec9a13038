"""The statistics behind the hypotheses about residual gain: samples in, rows out. Rules of verdicts: verdicts.py."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from internal_physics.families.residual_gain import verdicts
from internal_physics.families.residual_gain.verdicts import CONTRACTION, CONTRAST, ENTROPY_GAIN, NESTED_GRAMMAR
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import join_status
from internal_physics.ground.words import plural
from internal_physics.statistics.bootstrap import Interval, mean_interval
from internal_physics.statistics.correlation import (
    FEWEST_PAIRS,
    Correlation,
    Kind,
    correlate_pair,
    correlation_interval,
    parametric_p,
)
from internal_physics.statistics.two_samples import FEWEST_EACH, SEPARATED, Contrast, cliffs_delta, ratio_of_means

X, Y = "entropy_nats", "last_gain"


# Kind, and where a pair has its value and its p-value.
_CORRELATIONS: tuple[tuple[Kind, str, str], ...] = (
    ("pearson", "pearson_r", "pearson_p"),
    ("spearman", "spearman_rho", "spearman_p"),
)


@dataclass(frozen=True)
class Settings:
    """Resampling settings."""

    seed: int
    n_resamples: int
    confidence_level: float

    def named(self, *names: str) -> "Settings":
        """The same with a separate seed for these names."""
        return replace(self, seed=seed_of(self.seed, *names))


def entropy_gain_rows(gains: pd.DataFrame, settings: Settings) -> list[dict]:
    """Pearson and Spearman of next-token entropy against last gain, over the given prompts.

    The published rule is about Pearson's r and its parametric p-value; ours uses permutations, for both.
    """
    x, y = gains[X].to_numpy(), gains[Y].to_numpy()
    pair = correlate_pair(x, y, seed=settings.seed, n_resamples=settings.n_resamples)
    rows = []
    for kind, statistic, p in _CORRELATIONS:
        interval = correlation_interval(x, y, kind, **asdict(settings))
        value = getattr(pair, statistic)
        p_parametric = parametric_p(value, pair.n)
        published = verdicts.published_correlation_verdict(value, p_parametric)
        rows.append(
            _row(ENTROPY_GAIN, X, Y, statistic, (value, interval.low, interval.high))
            | {"n": pair.n, "n_x": pair.n, "n_y": pair.n, "p": getattr(pair, p), "p_parametric": p_parametric}
            | {"verdict_published": published if kind == "pearson" else verdicts.NO_RULE}
            | {"status": _correlation_status(pair, interval)}
        )
    return rows


def contraction_rows(by_kind: Mapping[str, ArrayLike], settings: Settings) -> list[dict]:
    """Mean last gain of each kind with its interval: below 1 the last block shrinks the stream."""
    return [_contraction_row(kind, np.asarray(sample, dtype=np.float64), settings) for kind, sample in by_kind.items()]


def nested_grammar_row(
    by_kind: Mapping[str, ArrayLike],
    contraction: Mapping[str, Mapping],
    nested: str,
    sure: str,
    settings: Settings,
) -> dict:
    """Mean last gain on nested sentences over that on facts, with a two-sample permutation test of "no difference".

    Args:
        by_kind: kind → last gains.
        contraction: kind → its row of `contraction_rows`.
        nested: the kind that is hard for people.
        sure: the kind that the model is sure of.
        settings: of the resampling.
    """
    samples = [_positive(by_kind.get(kind, ())) for kind in (nested, sure)]
    found = ratio_of_means(*samples, **asdict(settings.named(NESTED_GRAMMAR)))
    of_nested, of_sure = (contraction[kind] for kind in (nested, sure))
    verdict = verdicts.nested_verdict(of_nested["verdict"], of_sure["verdict"], found.low, found.high)
    return _two_sample_row(NESTED_GRAMMAR, nested, sure, "ratio_of_means", found) | {
        "verdict_published": verdicts.published_nested_verdict(of_nested["value"], of_sure["value"]),
        "verdict": verdict,
    }


def contrast_rows(by_kind: Mapping[str, ArrayLike], settings: Settings) -> Iterator[dict]:
    """Cliff's delta between the last gains of every two kinds."""
    for x, y in combinations(by_kind, 2):
        found = cliffs_delta(by_kind[x], by_kind[y], **asdict(settings.named(CONTRAST, x, y)))
        yield _two_sample_row(CONTRAST, x, y, "cliffs_delta", found) | {"verdict_published": verdicts.NO_RULE}


def _contraction_row(kind: str, sample: np.ndarray, settings: Settings) -> dict:
    finite = sample[np.isfinite(sample)]
    interval = mean_interval(finite, **asdict(settings.named(CONTRACTION, kind)))
    lost = sample.size - finite.size
    notes = [f"{plural(lost, 'prompt')} left out: no last gain"] if lost else []
    status = f"no prompts of kind {kind}" if interval.n == 0 else interval.status
    return _row(
        CONTRACTION, kind, verdicts.NEUTRAL, "mean_last_gain", (interval.value, interval.low, interval.high)
    ) | {
        "n": interval.n,
        "n_x": interval.n,
        "n_y": 0,
        "verdict_published": verdicts.published_contraction_verdict(interval.value),
        "verdict": verdicts.contraction_verdict(interval.low, interval.high),
        "status": join_status(*notes, status),
    }


def _two_sample_row(hypothesis: str, x: str, y: str, statistic: str, found: Contrast) -> dict:
    sizes = {"n": found.n_x + found.n_y, "n_x": found.n_x, "n_y": found.n_y}
    row = _row(hypothesis, x, y, statistic, (found.value, found.low, found.high))
    return row | sizes | {"p": found.p, "status": _two_sample_status(found, x, y)}


def _two_sample_status(found: Contrast, x: str, y: str) -> str:
    """What was left out of either kind, and which of them has too few prompts."""
    kinds = ((x, found.n_x, found.left_out_x), (y, found.n_y, found.left_out_y))
    left_out = [f"{lost} of kind {kind} left out: not finite" for kind, _, lost in kinds if lost]
    few = {0: "no prompts of kind {}", 1: "one prompt of kind {}: no interval, no test"}
    too_few = [few[n].format(kind) for kind, n, _ in kinds if n < FEWEST_EACH]
    return join_status(*left_out, *too_few, SEPARATED if found.is_separated else "")


def _row(hypothesis: str, x: str, y: str, statistic: str, estimate: tuple[float, float, float]) -> dict:
    value, low, high = estimate
    return {
        "hypothesis": hypothesis,
        "x": x,
        "y": y,
        "statistic": statistic,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "p": math.nan,
        "p_parametric": math.nan,
    }


def _correlation_status(pair: Correlation, interval: Interval) -> str:
    """Why there is no correlation, in the words of this table; else what was left out."""
    if pair.n < FEWEST_PAIRS:
        few = f"{plural(pair.n, 'prompt')}: a correlation needs at least {FEWEST_PAIRS}"
        return join_status(pair.left_out, few)
    constant = [f"{X if name == 'x' else Y} is constant: no correlation" for name in pair.constant]
    return join_status(pair.left_out, *constant) if constant else join_status(pair.status, interval.status)


def _positive(sample: ArrayLike) -> np.ndarray:
    """Gains of zero have no ratio: they count as missing here, which the status of the contrast then says."""
    values = np.asarray(sample, dtype=np.float64)
    return np.where(values > 0, values, np.nan)
