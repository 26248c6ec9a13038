"""Claims on knowledge and its extraction, beside what was measured here."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.experiments.experiment import Gate
from internal_physics.lab.experiments.knowledge.experiment import (
    AFTER_NAME,
    ALL,
    BIOGRAPHY,
    QUESTION,
    TESTED,
    TRAINED_WEIGHTS,
)

MICRO = (
    "150 people, symbolic words, 2 blocks of width 64, 2,500 steps, low-rank changes of rank 8 and 32; the original: "
    "100,000 people, English, 12 blocks of width 768, 80,000 steps, rank 8 and 128"
)
PROBES = (
    f"{MICRO}; probes change embeddings of shared words only and begin as the model's own rows of values, because 75 "
    "people cannot teach more; the original: all embeddings, maps from nothing, 30,000 steps"
)
REMEMBERED = 0.95  # of the words of values; below, questions say nothing about extraction

PLACES = ("birth_city", "university", "employer", "employer_city")

CLAIMS = {
    "parity": "without a hint, the parity of a remembered month is hardly better than chance",
    "parity_with_hint": "after saying the month, its parity is as good as the month",
    "comparison": "without a hint, two remembered months are hardly compared better than by chance",
    "year": "the year alone is said less well than the whole date",
    "inverse": "who has the six values cannot be said",
}


def gates(tables: Mapping[str, pd.DataFrame], arms: Mapping[str, Mapping[str, Any]]) -> list[Gate]:
    """What is claimed of knowledge; claims whose arms are not there are left out."""
    measured = tables["lab_knowledge"]
    last = measured[measured["step"] == measured.groupby(["arm", "seed"])["step"].transform("max")]
    asked = last[last["people"] == TESTED]
    special = {name: words for name, arm in arms.items() if (words := _special(arm))}
    plain = asked[(asked["attribute"] == ALL) & ~asked["arm"].isin(special)]
    found = [gate for _, rows in plain.groupby("arm") for gate in _of_arm(rows)]
    for arm, words in special.items():
        found += _of_special_arm(asked[asked["arm"] == arm], words)
    probes = tables["lab_knowledge_probes"]
    return [
        *found,
        *_probed(probes[~probes["arm"].isin(special)]),
        *_manipulations(tables["lab_manipulation"]),
    ]


def _special(arm: Mapping[str, Any]) -> str:
    """What is unlike the usual arms, in words: a masked model, places of several words; "" for nothing."""
    n_words = arm["data"].get("words_of_places", 1)
    places = f"places of {n_words} words" if n_words > 1 else ""
    return ", ".join(words for words in ("masked model" if arm["model"].get("masked") else "", places) if words)


def _of_special_arm(rows: pd.DataFrame, words: str) -> Iterator[Gate]:
    """Answers on what is one word or independent words, and on places, without a bar."""
    texts = f"Texts {rows['augmentation'].iloc[0]}, {words}"
    remembered = rows[(rows["task"] == BIOGRAPHY) & (rows["attribute"] == ALL)]
    values = dict(zip(remembered["seed"], remembered["accuracy"], strict=True))
    yield Gate("knowledge", f"{texts}: words of values that are remembered", values, is_hard=False, deviation=MICRO)
    answers = rows[rows["task"] == QUESTION]
    for kinds, what in ((("birth_date", "major"), "birth dates and majors"), (PLACES, "places and employers")):
        own = answers[answers["attribute"].isin(kinds)]
        claim = f"{texts}: right answers on {what} of people whose questions were never trained"
        by_seed = own.groupby("seed")["accuracy"].mean().to_dict()
        yield Gate("knowledge", claim, by_seed, is_hard=False, deviation=MICRO)


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


def _probed(measured: pd.DataFrame) -> Iterator[Gate]:
    """Of a single text: nothing before the value is next. Of several permuted ones: everything from the name on."""
    plain = measured[(measured["weights"] == TRAINED_WEIGHTS) & (measured["celebrities"] == 0)]
    for name, rows in plain.groupby("augmentation"):
        if name == "single":
            own = rows["attribute"].map({attribute: place for place, attribute in enumerate(ATTRIBUTES, start=1)})
            early = rows[(rows["place"] < own) & (rows["place"] != AFTER_NAME)]
            above = (early["accuracy"] - early["chance"]).groupby(early["seed"]).mean().to_dict()
            claim = "a probe before the values of earlier sentences tells no attribute: mean accuracy above chance"
            yield Gate("knowledge", f"Texts {name}: {claim}", above, high=0.1, is_hard=False, deviation=PROBES)
        elif name == "multi5+permute1":
            for place, where in ((1, "before the first value of a text"), (AFTER_NAME, "of the name alone")):
                at = rows[rows["place"] == place]
                claim = f"a probe {where} tells every attribute: mean accuracy over the six"
                values = at.groupby("seed")["accuracy"].mean().to_dict()
                yield Gate("knowledge", f"Texts {name}: {claim}", values, low=0.6, is_hard=False, deviation=PROBES)


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
