"""What a model of the experiment `rows` has learned: the loss of all rows at every snapshot."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from internal_physics.ground.status import value_status
from internal_physics.lab.data.batches import predict_all
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.rows.data import batches
from internal_physics.lab.models.run import load_model, mean_loss_nats


def measure(trained: Trained, _options: None) -> Mapping[str, pd.DataFrame]:
    """Table `lab_rows`: the mean loss of a token over all rows, at each snapshot."""
    rows = predict_all(np.asarray(batches(trained.data, trained.seed).rows))
    losses = {
        step: mean_loss_nats(load_model(folder, device=trained.device), rows)
        for step, folder in trained.snapshots.items()
    }
    return {
        "lab_rows": pd.DataFrame(
            {"step": step, "loss_nats": loss, "status": value_status(loss, "the loss is not finite")}
            for step, loss in losses.items()
        )
    }
