"""Names of the metrics that have scores, and of their scores."""

from collections.abc import Iterable

PER_PROMPT = ("ec", "isc", "isg", "isa")
PER_SET = ("isf",)
GRADIENT_FLOW = (*PER_PROMPT, *PER_SET)
RESIDUAL_GAIN = "residual_gain"
# Scores of the metric `thermodynamics`: medians over kinds of maps. Each also exists by kind: temperature_query.
THERMODYNAMICS = ("temperature", "entropy_nats", "energy", "free_energy")


def score_names(metrics: Iterable[str]) -> list[str]:
    """The scores that every model and prompt set has where these metrics are asked for; residual gain has none."""
    of_metric = {metric: (metric,) for metric in GRADIENT_FLOW} | {"thermodynamics": THERMODYNAMICS}
    return [score for metric in metrics for score in of_metric.get(metric, ())]
