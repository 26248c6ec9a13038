"""What a training needs to go on after it was killed: weights, what the optimiser remembers, and the losses so far.

Only the last state is kept, in a folder that is no output of a job, because a scheduler removes outputs of broken jobs.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from internal_physics.ground.files import whole_folder

LOGGER = logging.getLogger("internal_physics")
_TENSORS, _REST = "state.safetensors", "state.json"


@dataclass(frozen=True)
class State:
    """A training after some steps.

    Attributes:
        step: updates that were made.
        tensors: "weights" and what the optimiser remembers.
        rows: of the table of losses so far.
    """

    step: int
    tensors: dict[str, torch.Tensor]
    rows: list[dict[str, float]]


def fingerprint(*of: Any) -> str:
    """Of everything that decides a training; a state of another one is not resumed."""
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=_plain).encode()).hexdigest()


def write_state(folder: Path, state: State, training: str) -> None:
    """Replace the last state, atomically."""
    with whole_folder(folder) as temporary:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}, temporary / _TENSORS
        )
        rest = {"step": state.step, "rows": state.rows, "training": training}
        (temporary / _REST).write_text(json.dumps(rest))


def read_state(folder: Path, training: str) -> State | None:
    """The last state of this training; None where there is none, or only one of another training or a damaged one."""
    try:
        rest = json.loads((folder / _REST).read_text())
        if rest["training"] != training:
            LOGGER.info("an unfinished training with other options is there; it is not resumed")
            return None
        return State(rest["step"], load_file(folder / _TENSORS), rest["rows"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        LOGGER.warning("the last state of the training cannot be read (%s): it begins anew", error)
        return None


def _plain(value: Any) -> Any:
    return asdict(value) if not isinstance(value, Mapping) and hasattr(value, "__dataclass_fields__") else str(value)
