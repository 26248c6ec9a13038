"""The loss as a metric: every row of a prompt carries it."""

import numpy as np
import pandas as pd

from internal_physics.ground.status import OK
from internal_physics.tables.keys import PROMPT_KEY

LOSS = "loss"  # its name as a metric; its quantity is loss_nats


def with_loss(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows and, as metric `loss`, the loss that every row of a prompt carries."""
    losses = rows[rows.prompt.notna()].drop_duplicates(PROMPT_KEY)
    status = np.where(np.isfinite(losses.loss_nats), OK, "loss is not finite")
    losses = losses.assign(metric=LOSS, quantity="loss_nats", value=losses.loss_nats, status=status)
    losses["layer"], losses["rank"], losses["text"] = pd.NA, pd.NA, None
    return pd.concat([rows, losses.astype(rows.dtypes[["layer", "rank"]])], ignore_index=True)
