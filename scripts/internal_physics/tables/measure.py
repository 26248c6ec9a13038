"""Rows of metrics over many traces: the content of results/metrics/{metric}/{model}/{condition}.parquet.

A metric module declares what it measures in one of two mappings: PER_PROMPT, metric -> function of a Trace, or PER_SET,
metric -> function of the traces of one prompt set. Both functions return MetricRows.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import pandas as pd

from internal_physics.records.trace import Trace
from internal_physics.tables.chunks import ROWS_OF_A_CHUNK
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY
from internal_physics.tables.metric_rows import MetricRow

COLUMNS = (
    *PROMPT_KEY,
    "n_tokens",
    "loss_nats",
    "layer",
    "rank",
    "quantity",
    "value",
    "status",
    "text",
)
_TYPES = {"n_tokens": "Int64", "loss_nats": "float64", "layer": "Int64", "rank": "Int64", "value": "float64"}
_TYPES |= {"text": "str"}


def measure(module: str, traces: Iterable[Trace], **options: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of every metric of a metric module, in chunks (metric, rows); each trace is read once for all of them.

    Args:
        module: dotted name; it has PER_PROMPT or PER_SET.
        traces: of one model and condition; those of a prompt set are adjacent.
        **options: for the functions of PER_SET.
    """
    metrics = importlib.import_module(module)
    if hasattr(metrics, "PER_SET"):
        yield from _per_set_tables(traces, {name: partial(rows, **options) for name, rows in metrics.PER_SET.items()})
    else:
        yield from per_prompt_chunks(traces, metrics.PER_PROMPT)


def key_of(trace: Trace) -> dict[str, str]:
    """The columns PROMPT_KEY of a trace: its model, condition, prompt set and prompt."""
    return {**dict(zip(SET_KEY, _set_of(trace), strict=True)), "prompt": trace.info.prompt}


def per_prompt_table(traces: Iterable[Trace], rows: Callable[[Trace], list[MetricRow]]) -> pd.DataFrame:
    """Rows of each trace on its own, keyed by model, condition, prompt set and prompt."""
    return pd.concat([chunk for _, chunk in per_prompt_chunks(traces, {"": rows})], ignore_index=True)


def per_set_table(traces: Iterable[Trace], rows: Callable[[Sequence[Trace]], list[MetricRow]]) -> pd.DataFrame:
    """Rows of each prompt set as a whole; prompt, n_tokens and loss_nats stay empty. A set's traces are adjacent."""
    ((_, table),) = _per_set_tables(traces, {"": rows})
    return table


def per_prompt_chunks(
    traces: Iterable[Trace], metrics: Mapping[str, Callable[[Trace], list[MetricRow]]], n_rows: int = ROWS_OF_A_CHUNK
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of whole prompts, of at least `n_rows` rows; a metric's last chunk may be shorter, and may be empty."""
    waiting: dict[str, list[tuple]] = {name: [] for name in metrics}
    for trace in traces:
        keys = (*key_of(trace).values(), trace.n_tokens, trace.loss_nats)
        for name, rows in metrics.items():
            waiting[name] += [(*keys, *_cells(row)) for row in rows(trace)]
            if len(waiting[name]) >= n_rows:
                yield name, _table(waiting[name])
                waiting[name] = []
    for name, rest in waiting.items():
        yield name, _table(rest)


def _per_set_tables(
    traces: Iterable[Trace], metrics: Mapping[str, Callable[[Sequence[Trace]], list[MetricRow]]]
) -> Iterator[tuple[str, pd.DataFrame]]:
    rows_by_metric: dict[str, list[tuple]] = {name: [] for name in metrics}
    for keys, group in groupby(traces, key=_set_of):
        of_set = list(group)
        for name, rows in metrics.items():
            rows_by_metric[name] += [(*keys, None, None, None, *_cells(row)) for row in rows(of_set)]
    for name, of_metric in rows_by_metric.items():
        yield name, _table(of_metric)


def _set_of(trace: Trace) -> tuple[str, ...]:
    return tuple(trace.info.labels[name] for name in SET_KEY)


def _cells(row: MetricRow) -> tuple:
    return row.layer, row.rank, row.quantity, row.value, row.status, row.text


def _table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_TYPES)
