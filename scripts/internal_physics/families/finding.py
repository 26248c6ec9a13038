"""What a family found in a run, as a sentence with its number. No pandas: findings.py of a family makes them.

Such a module has two functions. `p_values(tables)` gives every claim that its sentences may make, under a name, with
its p-value; an estimate, which claims no difference, is not among them. `findings(tables, held)` writes the sentences,
and claims nothing that is not in `held`. families.findings adjusts the claims of all families together in between.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

PValues = dict[Hashable, float]  # name of a claim -> p-value before adjustment
Held = Mapping[Hashable, float]  # name of a claim that chance does not explain -> adjusted p-value
_ROUNDING = 1e-12  # relative: 0.02 is written as 0.02, whatever its last bit


@dataclass(frozen=True)
class Finding:
    """One sentence, and what it rests on.

    Attributes:
        sentence: plain English, with the number, its interval and n.
        value: the number.
        ci_low, ci_high: ends of its interval; NaN where there is none.
        n: prompts that it rests on.
        figure: name of the figure that shows it: "decided-factual"; "" for none.
        table: the table that it was read from.
        p_adjusted: the largest adjusted p of what the sentence claims; NaN for an estimate.
    """

    sentence: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    figure: str
    table: str
    p_adjusted: float = math.nan


def number(value: float, spec: str) -> str:
    """A number as a sentence has it: by a format of Python, with a minus sign and not a hyphen."""
    return format(value, spec).replace("-", "\N{MINUS SIGN}")


def p_at_most(p: float) -> str:
    """Such as "adjusted p at most 0.044" for 0.0432: rounded up to two significant digits, so that it is true."""
    step = 10.0 ** (math.floor(math.log10(p)) - 1) if p > 0 else 1.0
    return f"adjusted p at most {math.ceil(p / step * (1 - _ROUNDING)) * step:.2g}"
