"""What a family found in a run, as a sentence with its number. No pandas: findings.py of a family makes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One sentence, and what it rests on.

    Attributes:
        sentence: plain English, with the number, its interval and n.
        value: the number.
        ci_low, ci_high: ends of its interval; NaN where there is none.
        n: prompts that it rests on.
        figure: name of the figure that shows it: "decided-factual".
        table: the table that it was read from.
    """

    sentence: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    figure: str
    table: str
