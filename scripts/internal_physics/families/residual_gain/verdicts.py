"""The stated rules that turn statistics into verdicts. Pure; each rule is one function, its limits are constants."""

import math

ENTROPY_GAIN, CONTRACTION, NESTED_GRAMMAR, CONTRAST = "entropy_gain", "contraction", "nested_grammar", "contrast"
SUPPORTED, INVERSE, INCONCLUSIVE, UNTESTED = "supported", "inverse", "inconclusive", "untested"
NOT_SUPPORTED, NO_RULE = "not supported", "no rule"
HIGHER, LOWER = "higher", "lower"
CONTRACTS, EXPANDS = "contracts", "expands"

ALL_SETS = "all sets"  # prompts of all sets together; no name of a prompt set may have a blank
NOT_GIVEN = "not given"  # kind or difficulty of a prompt that has none: an empty cell reads as missing in a CSV
NEUTRAL = "neutral"  # what the last gain of a kind is compared with: 1
NESTED_KINDS = ("syntactic", "factual")  # of the test of centre-embedded sentences: hard for people, easy for a model

PUBLISHED_R, PUBLISHED_P = 0.5, 0.1
ALPHA = 0.05
RATIO_TOLERANCE = 0.3


def published_correlation_verdict(pearson_r: float, p: float) -> str:
    """The published rule: r > 0.5 and p < 0.1 supported, r < -0.5 and p < 0.1 inverse, else inconclusive.

    "untested" where r or p is not a number.
    """
    if math.isnan(pearson_r) or math.isnan(p):
        return UNTESTED
    if p >= PUBLISHED_P or abs(pearson_r) <= PUBLISHED_R:
        return INCONCLUSIVE
    return SUPPORTED if pearson_r > 0 else INVERSE


def signed_verdict(p_adjusted: float, low: float, high: float, words: tuple[str, str] = (SUPPORTED, INVERSE)) -> str:
    """Our rule for a statistic that is 0 without an effect: adjusted p < 0.05 and an interval that excludes 0.

    Args:
        p_adjusted: after the correction for many tests.
        low: lower end of the interval.
        high: upper end of the interval.
        words: for a positive and for a negative effect.

    Returns:
        One of `words`, "inconclusive", or "untested" where p or an end is not a number.
    """
    if any(math.isnan(number) for number in (p_adjusted, low, high)):
        return UNTESTED
    if p_adjusted >= ALPHA or low <= 0 <= high:
        return INCONCLUSIVE
    return words[0] if low > 0 else words[1]


def published_contraction_verdict(mean: float) -> str:
    """A mean last gain below 1 contracts, any other expands; "untested" where there is none."""
    if math.isnan(mean):
        return UNTESTED
    return CONTRACTS if mean < 1 else EXPANDS


def contraction_verdict(low: float, high: float) -> str:
    """Our rule: the whole interval of the mean last gain lies below 1 (contracts) or above it (expands)."""
    if math.isnan(low) or math.isnan(high):
        return UNTESTED
    if low <= 1 <= high:
        return INCONCLUSIVE
    return CONTRACTS if high < 1 else EXPANDS


def published_nested_verdict(mean_syntactic: float, mean_factual: float) -> str:
    """The published rule for centre-embedded sentences: both means contract and their ratio is within 0.3 of 1.

    "untested" where a mean is not a number; a mean of zero for facts has no ratio: not supported.
    """
    if math.isnan(mean_syntactic) or math.isnan(mean_factual):
        return UNTESTED
    alike = mean_factual > 0 and abs(mean_syntactic / mean_factual - 1) <= RATIO_TOLERANCE
    return SUPPORTED if alike and max(mean_syntactic, mean_factual) < 1 else NOT_SUPPORTED


def nested_verdict(syntactic: str, factual: str, low: float, high: float) -> str:
    """Our rule: intervals in place of points, so that similarity must be demonstrated.

    Args:
        syntactic: `contraction_verdict` of the nested sentences.
        factual: that of the facts.
        low: lower end of the interval of the ratio of their means.
        high: upper end.

    Returns:
        "supported" if both contract and the whole interval lies within 0.3 of 1; "inverse" if one of them expands or
        the whole interval lies outside; "untested" if something is missing; else "inconclusive".
    """
    if UNTESTED in (syntactic, factual) or math.isnan(low) or math.isnan(high):
        return UNTESTED
    if EXPANDS in (syntactic, factual) or low > 1 + RATIO_TOLERANCE or high < 1 - RATIO_TOLERANCE:
        return INVERSE
    within = low >= 1 - RATIO_TOLERANCE and high <= 1 + RATIO_TOLERANCE
    return SUPPORTED if within and syntactic == factual == CONTRACTS else INCONCLUSIVE
