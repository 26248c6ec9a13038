"""Claims of the lab in words, for the end of a run and for the report. No pandas."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEADING = "Claims of the literature in the lab:"


def read_claims(file: str | Path) -> list[dict[str, Any]]:
    """Rows of the CSV file of table lab_gates, numbers as numbers; empty if there is no such file."""
    if not Path(file).is_file():
        return []
    with Path(file).open(encoding="utf-8", newline="") as lines:
        return [_typed(row) for row in csv.DictReader(lines)]


def claims_in_words(claims: Iterable[Mapping[str, Any]]) -> str:
    """A heading, the claims of each experiment, a line each, and how many are met; "" without claims."""
    claims = list(claims)
    if not claims:
        return ""
    experiments = dict.fromkeys(claim["experiment"] for claim in claims)
    lines = [line for name in experiments for line in (f"  {name}\n", *_lines(claims, name))]
    return "".join([f"\n{HEADING}\n", *lines, f"  {tally(claims)}\n"])


def tally(claims: Iterable[Mapping[str, Any]]) -> str:
    """How many claims are met: those that must hold, others with a bar, and those without.

    Args:
        claims: each with is_hard and verdict.
    """
    counts = Counter((bool(claim["is_hard"]), claim["verdict"]) for claim in claims)
    hard = {verdict: n for (is_hard, verdict), n in counts.items() if is_hard}
    soft = {verdict: n for (is_hard, verdict), n in counts.items() if not is_hard}
    if not counts:
        return "No claim of the literature is about these experiments."
    parts = [f"{hard.get('met', 0)} of {sum(hard.values())} claims that must hold at this scale are met."]
    if barred := soft.get("met", 0) + soft.get("missed", 0):
        parts.append(f"Of {barred} more with a bar, {soft.get('met', 0)} are met.")
    if rest := sum(soft.values()) - barred:
        parts.append(f"{rest} have no bar or no number and are reported only.")
    return " ".join(parts)


def number_in_words(value: float) -> str:
    """Three significant digits; "n/a" for no number."""
    return f"{value:.3g}" if math.isfinite(value) else "n/a"


def spread_in_words(claim: Mapping[str, Any]) -> str:
    """Such as "0.91 to 0.92, 2 seeds"; one seed has no spread."""
    if claim["n_seeds"] == 0:
        return "no seeds"
    if claim["n_seeds"] == 1:
        return "1 seed"
    return f"{number_in_words(claim['low'])} to {number_in_words(claim['high'])}, {claim['n_seeds']} seeds"


def _lines(claims: Iterable[Mapping[str, Any]], experiment: str) -> list[str]:
    """Such as "    MET       0.91 (0.91 to 0.92, 2 seeds; bar ≥ 0.6): what is remembered is extracted"."""
    return [
        f"    {claim['verdict'].upper():<12} {number_in_words(claim['value'])}{_unit(claim)} "
        f"({spread_in_words(claim)}; {_bar(claim)}): {claim['claim']}\n"
        for claim in claims
        if claim["experiment"] == experiment
    ]


def _unit(claim: Mapping[str, Any]) -> str:
    return "" if claim["unit"] == "1" else f" {claim['unit']}"


def _bar(claim: Mapping[str, Any]) -> str:
    if claim["bar"] == "none":
        return "no bar"
    return f"bar {claim['bar']}" if claim["is_hard"] else f"bar {claim['bar']}, need not hold"


def _typed(row: Mapping[str, str]) -> dict[str, Any]:
    numbers = {name: float(row[name] or "nan") for name in ("value", "low", "high")}
    return {**row, **numbers, "n_seeds": int(row["n_seeds"]), "is_hard": row["is_hard"] == "True"}
