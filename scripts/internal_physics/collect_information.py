"""Rule collect_information: what was read of all models → the tables information and predictions."""

import pandas as pd

from internal_physics.collect import layers_table


def collect_information(rows: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Both tables.

    Args:
        rows: of the metric `information` (columns of metrics.table). Those of single attention heads carry a rank and
            stay in the metric's own files.
        predictions: rows of all models.
    """
    return {"information": layers_table(rows[rows["rank"].isna()]), "predictions": predictions}
