"""Rule collect_agreement: the agreement of all models and conditions → tables agreement and agreement_means."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from internal_physics.families.agreement.means import agreement_means
from internal_physics.tables.chunks import by_set, read_chunks


def collect_agreement(paths: Sequence[str], **settings: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of both tables, one for each prompt set of a model and condition; only its rows are in memory.

    Args:
        paths: files results/metrics/agreement/{model}/{condition}.parquet.
        **settings: seed, n_resamples and confidence_level of the intervals.
    """
    for path in paths:
        for rows in by_set(read_chunks(path)):
            yield "agreement", rows
            yield "agreement_means", agreement_means(rows, **settings)
