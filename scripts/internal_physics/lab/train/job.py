"""One job: an arm and a seed → the table of losses and the snapshots."""

import importlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import torch

from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.ground.files import whole_file
from internal_physics.ground.status import OK
from internal_physics.lab.adapted import EMBEDDING_RANKS
from internal_physics.lab.data.batches import Batches
from internal_physics.lab.data.masking import MaskedBatches
from internal_physics.lab.models.build import build_model, lab_config
from internal_physics.lab.options import made
from internal_physics.lab.tables import LAB_TRAINING
from internal_physics.lab.train.first_weights import begin_with
from internal_physics.lab.train.loop import train
from internal_physics.lab.train.low_rank import add_low_rank
from internal_physics.lab.train.state import fingerprint
from internal_physics.models.loading import resolve_device
from internal_physics.tables.conform import conform

LOGGER = logging.getLogger("internal_physics")


def train_arm(
    module: str,
    arm: Mapping[str, Mapping[str, Any]],
    *,
    name: str,
    seed: int,
    losses: str,
    steps: str,
    unfinished: str,
    threads: int,
    code: str = "",
    first_weights: str | None = None,
) -> None:
    """Train, and write the table of losses and the folder of snapshots when all is done.

    Args:
        module: dotted name of the experiment's data module.
        arm: data, model and training, as the config gives them.
        name: of the arm.
        seed: of data, first weights and order.
        losses: the table, a .parquet file.
        steps: the folder {step}/ of snapshots.
        unfinished: folder in which the job works; a job that was killed goes on from what is there.
        threads: of torch.
        code: checksum of the code; a training that other code began is not resumed.
        first_weights: folder {step}/ of snapshots of another training, with whose last one this begins; None for random
            weights.

    Raises:
        ConfigError, ModelError: as `train`, and if the first weights are of another model or language.
    """
    torch.set_num_threads(threads)
    model_options, options = made(LabModelOptions, arm["model"]), made(TrainingOptions, arm["training"])
    batches = batches_of(module, arm["data"], seed, masked=model_options.masked)
    device = "cpu" if options.device == "cpu" else resolve_device("auto")
    model: Any = build_model(lab_config(model_options, batches.vocabulary, batches.tokens_per_row), seed)
    begun_with = None if first_weights is None else begin_with(model, batches.vocabulary, first_weights)
    n_trained = model.num_parameters()
    if options.low_rank:
        ranks = {"rank": options.low_rank, "embedding_rank": EMBEDDING_RANKS * options.low_rank}
        n_trained = sum(p.numel() for p in add_low_rank(model, **ranks, seed=seed))
    folder = Path(unfinished)
    LOGGER.info("%s, seed %d: %d steps, %d parameters, on %s", name, seed, batches.steps, n_trained, device)
    rows = train(model.to(device), batches, options, folder=folder, training=fingerprint(arm, seed, code, begun_with))
    with whole_file(losses) as temporary:
        conform(pd.DataFrame(rows).assign(arm=name, seed=seed, status=OK), LAB_TRAINING).to_parquet(temporary)
    shutil.rmtree(steps, ignore_errors=True)
    Path(steps).parent.mkdir(parents=True, exist_ok=True)
    (folder / "steps").rename(steps)
    shutil.rmtree(folder)


def batches_of(module: str, data: Mapping[str, Any], seed: int, *, masked: bool = False) -> Batches:
    """The training set of an arm; of a masked model, with hidden words.

    Args:
        module: dotted name of the experiment's data module.
        data: its data options, as the config gives them.
        seed: of the arm.
        masked: whether the model is masked.
    """
    make = importlib.import_module(module).batches
    batches = make(made(get_type_hints(make)["options"], data), seed)
    return MaskedBatches(batches, seed) if masked else batches
