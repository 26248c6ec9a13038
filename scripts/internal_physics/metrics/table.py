"""Rows of a metric over many traces: the content of results/metrics/{metric}/{model}/{condition}.parquet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import pandas as pd

from internal_physics.metrics.rows import MetricRow
from internal_physics.recording.trace import Trace

COLUMNS = (
    "model",
    "condition",
    "prompt_set",
    "prompt",
    "n_tokens",
    "loss_nats",
    "layer",
    "rank",
    "quantity",
    "value",
    "status",
    "text",
)
ROWS_OF_A_PIECE = 2**16
_TYPES = {"n_tokens": "Int64", "loss_nats": "float64", "layer": "Int64", "rank": "Int64", "value": "float64"}
_TYPES |= {"text": "str"}


def per_prompt_table(traces: Iterable[Trace], rows: Callable[[Trace], list[MetricRow]]) -> pd.DataFrame:
    """Rows of each trace on its own, keyed by model, condition, prompt set and prompt."""
    return pd.concat(per_prompt_pieces(traces, rows), ignore_index=True)


def per_prompt_pieces(
    traces: Iterable[Trace], rows: Callable[[Trace], list[MetricRow]], n_rows: int = ROWS_OF_A_PIECE
) -> Iterator[pd.DataFrame]:
    """The same in pieces of whole prompts, of at least `n_rows` rows but for the last; one empty one for no traces."""
    found: list[tuple] = []
    n_pieces = 0
    for trace in traces:
        keys = (*_keys(trace), trace.info.prompt, trace.n_tokens, trace.loss_nats)
        found += [(*keys, *_cells(r)) for r in rows(trace)]
        if len(found) >= n_rows:
            yield _table(found)
            found, n_pieces = [], n_pieces + 1
    if found or not n_pieces:
        yield _table(found)


def per_set_table(traces: Iterable[Trace], rows: Callable[[Sequence[Trace]], list[MetricRow]]) -> pd.DataFrame:
    """Rows of each prompt set as a whole; prompt, n_tokens and loss_nats stay empty. A set's traces are adjacent."""
    found = []
    for keys, group in groupby(traces, key=_keys):
        found += [(*keys, None, None, None, *_cells(r)) for r in rows(list(group))]
    return _table(found)


def _keys(trace: Trace) -> tuple[str, str, str]:
    labels = trace.info.labels
    return labels["model"], labels["condition"], labels["prompt_set"]


def _cells(row: MetricRow) -> tuple:
    return row.layer, row.rank, row.quantity, row.value, row.status, row.text


def _table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_TYPES)
