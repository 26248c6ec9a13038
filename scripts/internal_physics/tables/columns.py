"""What a column of a table is, and the columns that most tables share."""

from typing import NamedTuple


class Column(NamedTuple):
    """Type, unit and meaning of one column."""

    dtype: str
    unit: str
    meaning: str


TEXT = "str"
MODEL = Column(TEXT, "", "named model of the config")
CONDITION = Column(TEXT, "", "baseline, or a steering intervention")
PROMPT_SET = Column(TEXT, "", "named prompt set of the config")
PROMPT = Column(TEXT, "", "name of the prompt in its set")
STATUS = Column(TEXT, "", "ok, or why a value is missing or to be read with care")
KEYS = {"model": MODEL, "condition": CONDITION, "prompt_set": PROMPT_SET}
