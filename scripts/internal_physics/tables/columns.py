"""Columns of tables, and the columns that most tables share."""

from dataclasses import dataclass

TEXT = "str"
NULLABLE = ("float64", "Int64", "boolean")  # types whose values may be missing


@dataclass(frozen=True)
class Column:
    """Type, unit and meaning of one column, and which values it may hold.

    Attributes:
        dtype: of pandas.
        unit: "" where there is none.
        meaning: in words.
        low, high: the range, bounds included; None for no bound.
        allowed: the only texts that it may hold; empty if any text is allowed.
        is_optional: whether a text may be missing.
    """

    dtype: str
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    is_optional: bool = False

    @property
    def is_nullable(self) -> bool:
        """Whether a value may be missing, as the column's meaning or the row's status says."""
        return self.is_optional or self.dtype in NULLABLE


MODEL = Column(TEXT, "", "named model of the config")
CONDITION = Column(TEXT, "", "baseline, or a steering intervention")
PROMPT_SET = Column(TEXT, "", "named prompt set of the config")
PROMPT = Column(TEXT, "", "name of the prompt in its set")
STATUS = Column(TEXT, "", "ok, or why a value is missing or to be read with care")
OF_SET = {"model": MODEL, "condition": CONDITION, "prompt_set": PROMPT_SET}
OF_PROMPT = OF_SET | {"prompt": PROMPT}
NOTES = {  # of a prompt, as its prompt set says
    "text": Column(TEXT, "", "the prompt; the gap of a masked model is written [MASK]"),
    "kind": Column(TEXT, "", "kind of the prompt, as its prompt set says; empty if it says none", is_optional=True),
    "difficulty": Column(TEXT, "", "difficulty of the prompt, likewise", is_optional=True),
    "answer": Column(
        TEXT, "", "how the text should go on, or what should stand at the [MASK], likewise", is_optional=True
    ),
}
TARGET = Column(
    TEXT,
    "",
    "the number that all gradients of the run are of: record.target",
    allowed=("loss", "logit", "log_probability"),
)
TARGETS = {
    "target": TARGET,
    "target_token": Column(
        TEXT,
        "",
        "the token of that logit or log-probability, in the baseline; empty for the loss, and without a tokenizer",
        is_optional=True,
    ),
}
UNIT = "unit"  # name of the column that says the unit of a row
PLAIN = "1"  # the unit of a number without dimension
IN_UNIT = "in column unit"  # the unit of a number whose row names it
OF_QUANTITY = "of the quantity"  # that of a long table, listed in docs/tables.md
UNIT_OF_VALUES = Column(TEXT, "", "unit of the metric's values; 1 is a number without dimension")
WATCHED_TOKEN = Column(
    TEXT, "", "the token of information.watch that a row is about, blanks included; else empty", is_optional=True
)
N_PROMPTS = Column("int64", "prompts", "prompts that the row rests on", low=0)


def p_value(meaning: str) -> Column:
    """A probability under a null hypothesis; `meaning` names the test."""
    return Column("float64", "1", meaning, low=0, high=1)
