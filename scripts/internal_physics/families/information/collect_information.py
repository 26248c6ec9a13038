"""Rule collect_information: what was read of all models → the tables information and predictions."""

from collections.abc import Iterable, Iterator

import pandas as pd

from internal_physics.families.information.tables import INFORMATION
from internal_physics.tables.chunks import read_chunks
from internal_physics.tables.gather import layers_table


def collect_information_files(metrics: Iterable[str], predictions: Iterable[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of both tables, in the order of the files; see `information_table`. Predictions are kept as they are."""
    for path in metrics:
        for chunk in read_chunks(path):
            yield "information", information_table(chunk)
    for path in predictions:
        for chunk in read_chunks(path):
            yield "predictions", chunk


def information_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Table `information` from rows of the metric (columns of tables.measure).

    Those of single attention heads carry a rank and stay in the metric's own files.
    """
    own = rows[rows["rank"].isna() & rows["layer"].notna()].reset_index(drop=True)
    return layers_table(own).assign(token=own["text"])[list(INFORMATION.columns)]
