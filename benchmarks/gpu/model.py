"""The model of the check, on either device and in any precision, and what it is asked."""

import gc
from pathlib import Path
from typing import Any

import torch
from internal_physics.config.options.record import RecordOptions
from internal_physics.models.loading import LoadedModel, load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.trace import Trace

from benchmarks.subjects import prompts

KINDS = ("factual", "syntactic", "ambiguous", "nonsense")
PRECISIONS: dict[str, dict[str, str]] = {
    "float32": {},
    "bfloat16": {"dtype": "bfloat16"},
    "nf4": {"quantization": "nf4"},
    "int8": {"quantization": "int8"},
}


def load(snapshot: Path, device: str, **options: str) -> LoadedModel:
    """The model with its anatomy proven; memory of the one before is given back."""
    gc.collect()
    torch.cuda.empty_cache()
    return check_model(load_snapshot(snapshot, LoadOptions(device=device, **options))).model


def questions(model: LoadedModel) -> list[Encoded]:
    """Sixteen prompts of four sets."""
    return [e for kind in KINDS for e in prompts(model, kind, 4)]


def record(model: LoadedModel, encoded: list[Encoded], **options: Any) -> list[Trace]:
    """Traces, in the order of their passes."""
    return list(record_batches(model, encoded, RecordOptions(**options)))
