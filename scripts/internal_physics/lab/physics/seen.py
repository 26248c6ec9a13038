"""What moved when, in words: table lab_physics → a row for each quantity, a cell for each training. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.ground.words import plural
from internal_physics.lab.physics.tables import ALL_SETS, ANY, KNOWN, LEARNED, LOSS, OTHER, RANK, VELOCITY

TITLES = {
    LEARNED: "what is known",
    LOSS: "training loss",
    "ec": "EC",
    "temperature": "temperature",
    "entropy_nats": "entropy of weights",
    "prediction_entropy_nats": "entropy of the prediction",
    "log_cumulative_gain": "ln cumulative gain",
    VELOCITY: "kernel (velocity)",
    RANK: "kernel (effective rank)",
}
_TEXTS = {KNOWN: "known texts", OTHER: "other texts", ANY: ""}


def seen(physics: pd.DataFrame) -> dict[str, Any]:
    """Trainings, rows and a sentence of caution.

    Args:
        physics: table lab_physics.

    Returns:
        {"trainings": names, "rows": [{"quantity", "texts", "cells", "n_with", "n"}], "caution": text}. A cell is
        {"between", "from_to", "when"}: the steps between which the quantity changes most, its values there, and whether
        that is before, with or after the largest change of what is known ("" where that is not counted).
    """
    parents = list(physics["parent"].drop_duplicates())
    learned = _moves(physics, LEARNED, ALL_SETS)
    rows = [
        _row(physics, quantity, texts, parents, learned)
        for quantity in TITLES
        for texts in (KNOWN, OTHER, ANY)
        if ((physics["quantity"] == quantity) & (physics["texts"] == texts)).any()
    ]
    return {"trainings": parents, "rows": rows, "caution": _caution(physics)}


def _row(
    physics: pd.DataFrame, quantity: str, texts: str, parents: list[str], learned: Mapping[str, Any]
) -> dict[str, Any]:
    own = physics[(physics["quantity"] == quantity) & (physics["texts"] == texts)]
    moves = _moves(own, quantity, None)
    cells = [_cell(own, moves.get(parent), learned.get(parent)) for parent in parents]
    when = [cell["when"] for cell in cells if cell["when"]]
    return {
        "quantity": TITLES[quantity],
        "texts": _TEXTS[texts],
        "cells": cells,
        "n_with": when.count("with"),
        "n": len(when),
        "is_learned": quantity == LEARNED,
    }


def _moves(rows: pd.DataFrame, quantity: str, prompt_set: str | None) -> dict[str, Any]:
    """Parent → the row at which the quantity moved most, of the first set by name where there are several."""
    own = rows[(rows["quantity"] == quantity) & rows["moves_most"]]
    own = own if prompt_set is None else own[own["prompt_set"] == prompt_set]
    return {str(row.parent): row for row in own.drop_duplicates("parent").itertuples()}


def _cell(rows: pd.DataFrame, move: Any, learned: Any) -> dict[str, str]:
    if move is None:
        return {"between": "no change", "from_to": "", "when": ""}
    same = rows[(rows["parent"] == move.parent) & (rows["prompt_set"] == move.prompt_set)]
    before = same.loc[same["step"] == move.previous_step, "value"].squeeze() if pd.notna(move.previous_step) else None
    start = "" if before is None or move.quantity == VELOCITY else f"{_number(float(before))} to "
    first = _steps(move.previous_step) if pd.notna(move.previous_step) else "before"
    when = "" if learned is None else _when(move.step, learned.step)
    return {
        "between": f"{first} to {_steps(move.step)}",
        "from_to": f"{start}{_number(move.value)}",
        "when": "" if move.quantity == LEARNED else when,
    }


def _when(step: int, learned: int) -> str:
    return "with" if step == learned else "before" if step < learned else "after"


def _caution(physics: pd.DataFrame) -> str:
    n_intervals = physics.groupby("parent")["step"].nunique().min() - 1
    seeds = physics.drop_duplicates("parent").groupby("arm")["seed"].nunique()
    if n_intervals < 1:
        return "One checkpoint shows no movement."
    return (
        f"There are {plural(int(n_intervals), 'interval')} between checkpoints: a quantity that moves anywhere moves "
        f"with what is known by chance in one training of {int(n_intervals)}. Each arm has "
        f"{plural(int(seeds.min()), 'seed')}. So agreement of all trainings is a hint that more seeds must test, and "
        "no evidence of a cause."
    )


def _steps(step: Any) -> str:
    return f"{int(step):,}"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "n/a"
