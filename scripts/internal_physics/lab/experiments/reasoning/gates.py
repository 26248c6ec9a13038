"""Claims on reasoning, beside what was measured here."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.lab.experiments.experiment import Gate
from internal_physics.lab.experiments.reasoning.area import area_of
from internal_physics.lab.probes.problem_columns import RANDOM, TRAINED

MICRO = (
    "sums of two digits modulo 5 in problems of at most 7 parameters, 4 blocks of width 64, 3 million tokens, a loss "
    "on solutions only; the original: problems in English modulo 23, 12 blocks of width 768, 4e10 tokens, loss on all"
)
OWN = "a question of this project: does uncertainty or the gain of the last block rise where a solution goes wrong?"
UNSURE = {"entropy": "entropy", "surprisal": "surprisal", "last_gain": "the gain of the last block"}
Arms = Mapping[str, Mapping[str, Any]]
Values = Mapping[int, float]


def gates(tables: Mapping[str, pd.DataFrame], arms: Arms) -> list[Gate]:
    """What is claimed of models that reason; claims whose arms are not there are left out."""
    solved, probes = tables["lab_reasoning"], tables["lab_reasoning_probes"]
    return [
        *_canon(solved, arms),
        *_shortest(solved, arms),
        *_states(probes, arms),
        *_foreseen(tables["lab_reasoning_foresight"], arms),
        *_unsure(tables["lab_reasoning_foresight"], arms),
        *_retries(solved, arms),
    ]


def _arm(
    arms: Arms,
    *,
    canon: bool = True,
    rate: bool = False,
    kind: str = "retry",
    goes_on: bool = False,
    low_rank: bool = False,
) -> str:
    """The first arm of this kind, or ""."""
    for name, arm in arms.items():
        data, options = arm["data"], (arm["model"]["canon"], arm["training"]["low_rank"])
        is_it = (*map(bool, options), bool(data["retry_rate"]), bool(data["skipped_steps"]))
        if is_it == (canon, low_rank, rate, goes_on) and (not rate or data["retry_kind"] == kind):
            return name
    return ""


def _accuracy(solved: pd.DataFrame, arm: str, operations: int) -> dict[int, float]:
    rows = solved[(solved["arm"] == arm) & (solved["operations"] == operations)]
    return dict(zip(rows["seed"], rows["accuracy"], strict=True))


def _minus(more: Values, less: Values) -> dict[int, float]:
    return {seed: more[seed] - less[seed] for seed in sorted(set(more) & set(less))}


def _canon(solved: pd.DataFrame, arms: Arms) -> Iterator[Gate]:
    canon, plain = _arm(arms), _arm(arms, canon=False)
    if canon:
        one, three, four = (_accuracy(solved, canon, k) for k in (1, 3, 4))
        claim = f"Arm {canon}: problems of one operation are solved, every step right: accuracy"
        yield Gate("reasoning", claim, one, low=0.9, deviation=MICRO)
        claim = f"Arm {canon}: more operations are harder: accuracy at 1 minus that at 4"
        yield Gate("reasoning", claim, _minus(one, four), low=0.2, deviation=MICRO)
        if plain:
            claim = "Canon layers reason deeper after as many tokens: accuracy at 3 operations, with minus without them"
            yield Gate("reasoning", claim, _minus(three, _accuracy(solved, plain, 3)), low=0.35, deviation=MICRO)


def _shortest(solved: pd.DataFrame, arms: Arms) -> Iterator[Gate]:
    arm = _arm(arms)
    rows = solved[(solved["arm"] == arm) & solved["in_training"]]
    if rows.empty:
        return
    by_seed = rows.groupby("seed")
    claim = f"Arm {arm}: solutions hold only what is needed (level 1): unnecessary parameters of a correct one, at most"
    largest = by_seed["unnecessary_parameters"].max().to_dict()
    yield Gate("reasoning", claim, largest, unit="parameters", high=0.15, deviation=MICRO)
    claim = f"Arm {arm}: the same of a solver without a plan, at least"
    least = by_seed["unnecessary_at_random"].min().to_dict()
    yield Gate("reasoning", claim, least, unit="parameters", is_hard=False, deviation=MICRO)


ASKED = {
    "needed": "what the answer needs",
    "can_be_next": "what can be computed next",
    "needed_next": "what can be computed next and is needed",
    "depends": "what depends on what, before the question",
    "known": "what was computed",
    "value": "values",
}
WITH_BAR = ("needed", "can_be_next")
"""Tasks whose distance from random weights a pilot has measured."""


def _states(probes: pd.DataFrame, arms: Arms) -> Iterator[Gate]:
    arm = _arm(arms)
    rows = probes[probes["arm"] == arm]
    for task, of_task in rows.groupby("task", sort=True):
        wide = of_task.pivot_table(index="seed", columns="told_by", values="accuracy")
        rules = wide.drop(columns=[TRAINED, RANDOM]).max(axis=1)
        claim = f"Arm {arm}: states tell {ASKED[str(task)]}: accuracy above that of a model that learned nothing"
        above, has_bar = (wide[TRAINED] - wide[RANDOM]).to_dict(), task in WITH_BAR
        yield Gate("reasoning", claim, above, low=0.12 if has_bar else None, is_hard=has_bar, deviation=MICRO)
        claim = (
            f"Arm {arm}: states tell {ASKED[str(task)]} better than rules on single sentences: accuracy above the best"
        )
        yield Gate("reasoning", claim, (wide[TRAINED] - rules).to_dict(), is_hard=False, deviation=MICRO)


def _foreseen(foresight: pd.DataFrame, arms: Arms) -> Iterator[Gate]:
    retry, canon = _arm(arms, rate=True, goes_on=True), _arm(arms)
    found = foresight[(foresight["arm"] == retry) & (foresight["signal"] == "taking_back")]
    if len(found):
        claim = f"Arm {retry}: an error is visible once its name is written: AUC of p(BACK), smallest over operations"
        yield Gate("reasoning", claim, least_area(found), low=0.88, deviation=MICRO)
    found = foresight[(foresight["arm"] == canon) & (foresight["signal"] == "probe")]
    if len(found):
        claim = f"Arm {canon}: a probe foresees the model's own wrong steps: AUC over all problems"
        areas = {int(str(seed)): area_of(rows) for seed, rows in found.groupby("seed")}
        yield Gate("reasoning", claim, areas, is_hard=False, deviation=MICRO)


def _unsure(foresight: pd.DataFrame, arms: Arms) -> Iterator[Gate]:
    """Reported only: nothing is published about these signals and the steps of a solution."""
    arm = _arm(arms)
    rows = foresight[foresight["arm"] == arm]
    for signal, words in UNSURE.items():
        found = rows[rows["signal"] == signal]
        if len(found):
            claim = f"Arm {arm}: {words} is larger before the model's own wrong choices: AUC over all problems"
            areas = {int(str(seed)): area_of(own) for seed, own in found.groupby("seed")}
            yield Gate("reasoning", claim, areas, is_hard=False, deviation=OWN)


def least_area(rows: pd.DataFrame) -> dict[int, float]:
    """Seed → the smallest area over numbers of operations; NaN if one of these has none."""
    return {
        int(str(seed)): float(np.min([area_of(own) for _, own in of_seed.groupby("operations")]))
        for seed, of_seed in rows.groupby("seed")
    }


def _retries(solved: pd.DataFrame, arms: Arms) -> Iterator[Gate]:
    """Reported only. Retries that tell nothing (retry_miss) are the control of those that do."""
    control = _arm(arms, goes_on=True)
    beyond = solved.loc[~solved["in_training"], "operations"]
    if not control or beyond.empty:
        return
    k = int(beyond.min())
    for kind, low_rank, words in (
        ("retry", False, "retries"),
        ("retry_miss", False, "retries that tell nothing (retry_miss)"),
        ("retry", True, "retries in a change of low rank alone (LoRA)"),
    ):
        arm = _arm(arms, rate=True, kind=kind, goes_on=True, low_rank=low_rank)
        if arm:
            claim = f"Going on with {words} helps beyond training: accuracy at {k} operations above that without"
            gain = _minus(_accuracy(solved, arm, k), _accuracy(solved, control, k))
            yield Gate("reasoning", claim, gain, is_hard=False, deviation=MICRO)
