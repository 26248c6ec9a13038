"""Which records are compared with which: a model with its reference, a steered condition with the baseline.

The reference of a model is the one that the config names; otherwise the first of the models before it in the config
whose
records can be compared with its own: as many blocks, the same width, and the same tokens in the first prompt of every
prompt set that both ran.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from internal_physics.families.agreement.agreement import AgreementRow, agreement_rows, why_not_comparable
from internal_physics.ground.names import BASELINE
from internal_physics.records.listing import listed
from internal_physics.records.store import read_trace
from internal_physics.records.trace import Trace
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.measure import key_of

COLUMNS = (*PROMPT_KEY, "reference", "reference_condition", *AgreementRow._fields)
_TYPES = dict.fromkeys(COLUMNS, "str") | {"layer": "Int64", "value": "float64"}
LOGGER = logging.getLogger(__name__)


class Recorded(NamedTuple):
    """All records of one model in one condition: (prompt set, prompt) → file."""

    model: str
    condition: str
    files: Mapping[tuple[str, str], str]


def agreement_chunks(records: Sequence[str], candidates: Sequence[str], *, named: bool) -> Iterator[pd.DataFrame]:
    """Rows of a model and condition against every reference: an empty chunk, then one for each prompt.

    Args:
        records: listings of its records, results/records/{model}/{condition}/….
        candidates: listings of models and conditions that it may be compared with, in the order of preference.
        named: whether the config names the reference. The model is then compared with it, and if that is not possible,
            rows say why.
    """
    (own,) = by_run(records)
    references = choose_references(own, by_run(candidates), named=named)
    yield _frame([])
    for place, path in own.files.items():
        trace = read_trace(path)
        for reference in references:
            if place in reference.files:
                yield _frame(_cells(trace, reference, read_trace(reference.files[place])))


def by_run(listings: Sequence[str]) -> list[Recorded]:
    """The records of each model and condition, which are in the order of their first appearance."""
    found: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for listing in listings:
        model, condition = Path(listing).parts[-3:-1]
        files = {(Path(path).parts[-2], Path(path).stem): path for path in listed(listing)}
        found.setdefault((model, condition), {}).update(files)
    return [Recorded(*run, files) for run, files in found.items()]


def choose_references(own: Recorded, candidates: Sequence[Recorded], *, named: bool) -> list[Recorded]:
    """The reference model in the same condition, if any; for a steered condition, the own baseline too."""
    others = [c for c in candidates if c.model != own.model]
    models = [c for c in others if named or _are_comparable(own, c)][:1]
    if others and not models:
        LOGGER.info("%s is the first model of its tokenizer, depth and width: it has no reference", own.model)
    baselines = [c for c in candidates if c.model == own.model and c.condition == BASELINE != own.condition]
    return [*models, *baselines]


def _are_comparable(own: Recorded, other: Recorded) -> bool:
    shared = [place for place in own.files if place in other.files]
    first = {prompt_set: place for place in reversed(shared) for prompt_set in place[:1]}
    pairs = ((read_trace(own.files[place]), read_trace(other.files[place])) for place in first.values())
    return bool(first) and not any(why_not_comparable(*pair) for pair in pairs)


def _cells(trace: Trace, reference: Recorded, other: Trace) -> list[tuple]:
    keys = (*key_of(trace).values(), reference.model, reference.condition)
    return [(*keys, *row) for row in agreement_rows(trace, other)]


def _frame(rows: Sequence[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_TYPES)
