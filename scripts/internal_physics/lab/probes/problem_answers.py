"""How probes and rules are judged, and the model that learned nothing; for problems in symbols and in English."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import value_status
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.models.build import build_model
from internal_physics.lab.probes.problem_questions import balanced_accuracy, largest_share
from internal_physics.models.lab_architecture.configuration import LabConfig

NO_ITEMS = "no question with one of the answers"
PROBE_COLUMNS = ("task", "told_by", "accuracy", "chance", "share_right", "largest_share", "n_items", "status")


def probe_rows(task: str, told: Mapping[str, np.ndarray], right: np.ndarray, n_answers: int) -> Iterator[tuple]:
    """Rows with PROBE_COLUMNS, one for each probe or rule.

    Args:
        task: what was asked.
        told: probe or rule → [questions] its answers.
        right: [questions] the right ones.
        n_answers: of the task.
    """
    most = largest_share(right)
    for name, answers in told.items():
        accuracy = balanced_accuracy(answers, right, n_answers)
        shares = (accuracy, 1 / n_answers, float(np.mean(answers == right)), most)
        yield task, name, *shares, len(right), value_status(accuracy, NO_ITEMS)


def random_model(trained: Trained) -> PreTrainedModel:
    """The same model with other first weights, its maps that write drawn, too."""
    config: Any = LabConfig.from_pretrained(str(trained.snapshots[trained.last_step]))
    config.zero_outputs = False
    return build_model(config, seed_of(trained.seed, "a model that learned nothing")).to(trained.device)  # type: ignore[arg-type]
