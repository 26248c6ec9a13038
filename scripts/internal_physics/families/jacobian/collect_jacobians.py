"""Rule collect_jacobians: local linear maps of all models and conditions → the table jacobians."""

from collections.abc import Iterable, Iterator

import pandas as pd

from internal_physics.tables.chunks import read_chunks


def collect_jacobians(paths: Iterable[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of the table, in the order of the files."""
    for path in paths:
        for chunk in read_chunks(path):
            yield "jacobians", chunk
