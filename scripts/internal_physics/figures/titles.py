"""The part of a title that says what a figure is drawn from: prompt set, number of prompts, condition."""

from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural


def about_set(prompt_set: str, n_prompts: int, condition: str = BASELINE) -> str:
    """'factual (20 prompts)', with the condition unless it is the baseline."""
    return f"{prompt_set} ({plural(n_prompts, 'prompt')}){in_condition(condition)}"


def in_condition(condition: str) -> str:
    """', condition happy'; empty for the baseline."""
    return "" if condition == BASELINE else f", condition {condition}"
