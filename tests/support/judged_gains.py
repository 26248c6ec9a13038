"""Hypotheses judged on made-up gains, and one row of what was found."""

import pandas as pd
from internal_physics.families.residual_gain.hypotheses import judge_hypotheses
from internal_physics.families.residual_gain.verdicts import ALL_SETS
from made_up_gains import gains_of, with_texts

SETTINGS = {"seed": 0, "n_resamples": 199, "confidence_level": 0.95}


def judge(points, **options):
    gains = gains_of(points, **options)
    return judge_hypotheses(with_texts(gains), **SETTINGS)


def pick(table, hypothesis, variant="whole", prompt_set=ALL_SETS, **columns):
    rows = table[
        (table["hypothesis"] == hypothesis) & (table["variant"] == variant) & (table["prompt_set"] == prompt_set)
    ]
    for column, value in columns.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


PROMPTS = pd.DataFrame([
    {"model": model, "prompt_set": prompt_set, "prompt": prompt, "kind": kind, "difficulty": difficulty, "text": text,
     "answer": None, "n_tokens": 3, "tokens": "x|y|z", "target": "loss", "target_token": None, "status": "ok"}
    for model in ("m", "n")
    for prompt_set, prompt, kind, difficulty, text in (
        ("s", "a", "factual", "easy", "A"), ("s", "b", None, None, "B"), ("s", "c", "syntactic", "hard", "C"),
        ("t", "a", "factual", "hard", "A again"), ("t", "d", "factual", "easy", "D"),
    )
])  # fmt: skip
