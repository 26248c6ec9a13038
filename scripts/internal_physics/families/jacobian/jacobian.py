"""Rule jacobian: prompts through one model in one condition → rows of table jacobians, one per prompt and block."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.families.jacobian.measure import map_rows
from internal_physics.families.jacobian.options import MapOptions
from internal_physics.families.jacobian.tables import JACOBIANS
from internal_physics.ground.seeds import seed_of
from internal_physics.models.options import LoadOptions
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.record import checked_model
from internal_physics.steering.directions import build_steering
from internal_physics.tables.conform import conform

LOGGER = logging.getLogger("internal_physics")


def jacobian_chunks(
    *,
    snapshot: str | Path,
    prompts: Mapping[str, Sequence[Mapping[str, Any]]],
    load: Mapping[str, Any],
    text: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
    labels: Mapping[str, str],
    seed: int,
    threads: int,
    steering: Mapping[str, Any] | None = None,
    steering_files: Sequence[str] = (),
) -> Iterator[pd.DataFrame]:
    """Load a snapshot once and give the rows of each prompt.

    Args:
        snapshot: its folder.
        prompts: prompt set → name, text and answer of its prompts.
        load: options of LoadOptions.
        text: prompt set → options of TextOptions.
        options: of MapOptions.
        labels: model and condition.
        seed: of the random vectors.
        threads: of torch.
        steering: what is added to the residual stream, as in the config; None for the baseline.
        steering_files: the first is its direction.

    Raises:
        UserError: what is wrong with snapshot, model, prompts or steering.
    """
    torch.set_num_threads(threads)
    model = checked_model(snapshot, LoadOptions(**load), {**labels, "prompt_set": ""})
    where = f"conditions → {labels['condition']}"
    intervention = None
    if steering is not None:
        intervention = build_steering(steering, model.anatomy, file=next(iter(steering_files), None), where=where)
    encoded = {
        name: encode_prompts(model, [Prompt(**p) for p in of_set], TextOptions(**text[name]))
        for name, of_set in prompts.items()
    }
    asked = [(name, e) for name, of_set in encoded.items() for e in of_set]
    for prompt_set, e in tqdm(asked, unit="prompt", file=sys.stderr):
        keys = {**labels, "prompt_set": prompt_set, "prompt": e.prompt.name}
        rows = map_rows(model, e, MapOptions(**options), seed_of(seed, *keys.values()), intervention)
        yield conform(pd.DataFrame([keys | row for row, _ in rows]), JACOBIANS)
