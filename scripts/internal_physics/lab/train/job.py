"""One job: an arm and a seed → the table of losses and the snapshots."""

import importlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from internal_physics.config.options.lab import LabModelOptions, TrainingOptions
from internal_physics.ground.files import whole_file
from internal_physics.ground.status import OK
from internal_physics.lab.data.batches import Batches
from internal_physics.lab.data.masking import MaskedBatches
from internal_physics.lab.models.build import build_model, lab_config
from internal_physics.lab.tables import LAB_TRAINING
from internal_physics.lab.train.loop import train
from internal_physics.lab.train.state import fingerprint
from internal_physics.models.loading import resolve_device
from internal_physics.tables.conform import conform


@dataclass(frozen=True)
class Arm:
    """What decides a training, the seed apart.

    Attributes:
        data_module: dotted name of the experiment's data module.
        data: an instance of its data options.
        model: the model.
        training: how it is trained.
    """

    data_module: str
    data: Any
    model: LabModelOptions
    training: TrainingOptions

    @classmethod
    def of(cls, data_module: str, options: type, arm: Mapping[str, Any]) -> "Arm":
        """From the mappings of a config: data, model and training."""
        training = {**arm["training"], "snapshots": tuple(arm["training"]["snapshots"])}
        return cls(
            data_module, _made(options, arm["data"]), LabModelOptions(**arm["model"]), TrainingOptions(**training)
        )

    def batches(self, seed: int) -> Batches:
        """The training set; of a masked model, with hidden words."""
        made = importlib.import_module(self.data_module).batches(self.data, seed)
        return MaskedBatches(made, seed) if self.model.masked else made


def train_arm(
    arm: Arm, name: str, seed: int, *, losses: str, steps: str, unfinished: Path, threads: int, code: str = ""
) -> None:
    """Train, and write the table of losses and the folder of snapshots when all is done.

    Args:
        arm: what is trained.
        name: of the arm.
        seed: of data, first weights and order.
        losses: the table, a .parquet file.
        steps: the folder {step}/ of snapshots.
        unfinished: folder in which the job works; a job that was killed goes on from what is there.
        threads: of torch.
        code: checksum of the code; a training that other code began is not resumed.

    Raises:
        ConfigError, ModelError: as `train`.
    """
    torch.set_num_threads(threads)
    batches = arm.batches(seed)
    device = "cpu" if arm.training.device == "cpu" else resolve_device("auto")
    model: Any = build_model(lab_config(arm.model, batches.vocabulary, batches.tokens_per_row), seed)
    model.to(device)
    rows = train(model, batches, arm.training, folder=unfinished, training=fingerprint(arm, seed, code))
    with whole_file(losses) as temporary:
        conform(pd.DataFrame(rows).assign(arm=name, seed=seed, status=OK), LAB_TRAINING).to_parquet(temporary)
    shutil.rmtree(steps, ignore_errors=True)
    Path(steps).parent.mkdir(parents=True, exist_ok=True)
    (unfinished / "steps").rename(steps)
    shutil.rmtree(unfinished)


def _made(options: type, given: Mapping[str, Any]) -> Any:
    return options(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})
