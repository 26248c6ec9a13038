"""Columns of tables that say what probes and rules tell about the parameters of a problem. No torch, no numpy."""

from typing import get_args

from internal_physics.config.options.lab_reasoning import ProbeTask
from internal_physics.tables.columns import STATUS, TEXT, Column

RANDOM, TRAINED = "random", "trained"
RULES = ("used_somewhere", "operand_of_query", "only_numbers", "numbers_and_used", "in_its_sentence", "written")

PROBED = {
    "task": Column(TEXT, "", "what is asked about a parameter", allowed=get_args(ProbeTask)),
    "told_by": Column(
        TEXT,
        "",
        "a probe of the trained model, the same of a model with random weights, or a rule on its sentences",
        allowed=(TRAINED, RANDOM, *RULES),
    ),
    "accuracy": Column("float64", "1", "mean over answers of the accuracy on questions with this one", low=0, high=1),
    "chance": Column("float64", "1", "accuracy of a guess, and of telling one answer always", low=0, high=1),
    "share_right": Column("float64", "1", "of all questions", low=0, high=1),
    "largest_share": Column("float64", "1", "share_right of always telling the commonest answer", low=0, high=1),
    "n_items": Column("int64", "questions", "on which it was judged", low=0),
    "status": STATUS,
}
"""Columns of a table of probes, after those of the arm."""
