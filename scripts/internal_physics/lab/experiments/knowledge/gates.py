"""Claims on knowledge and its extraction, beside what was measured here."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from internal_physics.lab.experiments.experiment import Gate
from internal_physics.lab.experiments.knowledge.experiment import ALL, BIOGRAPHY, QUESTION, TESTED

MICRO = (
    "150 people, symbolic words, 2 blocks of width 64, 2,500 steps, low-rank changes of rank 8 and 32; the original: "
    "100,000 people, English, 12 blocks of width 768, 80,000 steps, rank 8 and 128"
)
REMEMBERED = 0.95  # of the words of values; below, questions say nothing about extraction

CLAIMS = {
    "parity": "without a hint, the parity of a remembered month is hardly better than chance",
    "parity_with_hint": "after saying the month, its parity is as good as the month",
    "comparison": "without a hint, two remembered months are hardly compared better than by chance",
    "year": "the year alone is said less well than the whole date",
    "inverse": "who has the six values cannot be said",
}


def gates(tables: Mapping[str, pd.DataFrame], _arms: Mapping[str, Mapping[str, Any]]) -> list[Gate]:
    """What is claimed of knowledge; claims whose arms are not there are left out."""
    measured = tables["lab_knowledge"]
    last = measured[measured["step"] == measured.groupby(["arm", "seed"])["step"].transform("max")]
    asked = last[(last["people"] == TESTED) & (last["attribute"] == ALL)]
    found = [gate for _, rows in asked.groupby("arm") for gate in _of_arm(rows)]
    return [*found, *_manipulations(tables["lab_manipulation"])]


def _of_arm(rows: pd.DataFrame) -> Iterator[Gate]:
    name, has_celebrities = rows["augmentation"].iloc[0], bool(rows["celebrities"].iloc[0])
    texts = f"{name}, with {rows['celebrities'].iloc[0]} celebrities" if has_celebrities else name
    remembered, answered = (_by_seed(rows, task) for task in (BIOGRAPHY, QUESTION))
    low = 0.6 if name == "multi5+permute1" and not has_celebrities else None
    high = 0.25 if name == "single" and not has_celebrities else None
    is_hard = (low, high) != (None, None)
    claim = f"Texts {texts}: words of values that are remembered; the next number is read only if these are nearly all"
    yield Gate("knowledge", claim, remembered, low=REMEMBERED, is_hard=is_hard, deviation=MICRO)
    what = {"single": "is hardly extracted", "multi5+permute1": "is extracted"}.get(name, "is extracted so far")
    claim = f"Texts {texts}: what is remembered {what}: right answers about people whose questions were never trained"
    yield Gate("knowledge", claim, answered, low=low, high=high, is_hard=is_hard, deviation=MICRO)


def _manipulations(measured: pd.DataFrame) -> Iterator[Gate]:
    tested = measured[measured["people"] == TESTED]
    for (arm, task), rows in tested.groupby(["arm", "task"]):
        values = dict(zip(rows["seed"], rows["accuracy"], strict=True))
        claim = f"Arm {arm}: {CLAIMS[str(task)]}; chance {rows['chance'].mean():.2f}"
        is_inverse = task == "inverse"
        high = 0.1 if is_inverse else None
        yield Gate("knowledge", claim, values, high=high, is_hard=is_inverse, deviation=MICRO)


def _by_seed(rows: pd.DataFrame, task: str) -> dict[int, float]:
    chosen = rows[rows["task"] == task]
    return dict(zip(chosen["seed"], chosen["accuracy"], strict=True))
