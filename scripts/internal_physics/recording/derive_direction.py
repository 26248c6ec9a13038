"""Rule derive_direction: contrasting texts → a steering direction per layer, from one forward pass of each text.

The state of a text is residual[l] at its last token (at the [MASK], where a masked model's text has one).
Index conventions: i text, l residual position 0..L, d width.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from internal_physics.config.options.record import RecordOptions
from internal_physics.config.options.steering import ContrastOptions
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ConfigError, PromptError
from internal_physics.ground.files import whole_file
from internal_physics.models.lengths import ranges_of
from internal_physics.models.loading import LoadedModel
from internal_physics.models.options import LoadOptions
from internal_physics.recording.arrays import ToHost, to_numpy
from internal_physics.recording.encoding import Encoded, text_reader
from internal_physics.recording.record import checked_model
from internal_physics.recording.recorder import model_inputs
from internal_physics.recording.taps import Taps
from internal_physics.recording.token_ids import TextReader

LOGGER = logging.getLogger("internal_physics")


def contrast_set(
    *,
    snapshot: str | Path,
    output: str | Path,
    contrast: Mapping[str, Any],
    batch_size: int,
    load: Mapping[str, Any],
    labels: Mapping[str, Any],
    threads: int,
    text: Mapping[str, Any] | None = None,
) -> None:
    """Load a snapshot and write the directions that its texts give it, one per layer, as residual.0 to residual.L.

    Raises:
        UserError: what is wrong with snapshot, model or texts.
    """
    torch.set_num_threads(threads)
    model = checked_model(snapshot, LoadOptions(**load), labels)
    where = f"conditions → {labels['condition']}"
    vectors = derive_direction(model, contrast, TextOptions(**text or {}), batch_size=batch_size, where=where)
    norms = np.linalg.norm(vectors, axis=1)
    LOGGER.info("length of the direction at layers 0 to %d: %s", len(norms) - 1, " ".join(f"{n:.3g}" for n in norms))
    write_directions(vectors, output, {**labels, "method": contrast["method"]})


def derive_direction(
    model: LoadedModel,
    contrast: Mapping[str, Any],
    text: TextOptions | None = None,
    *,
    batch_size: int = RecordOptions.batch_size,
    where: str = "contrast",
) -> np.ndarray:
    """Direction from the negative to the positive texts at every layer, [L + 1, d].

    Args:
        model: a checked model.
        contrast: positive, negative, and method as in the config.
        text: how a text becomes tokens.
        batch_size: texts per pass.
        where: the place in the config, for messages.

    Raises:
        ConfigError: for a text that cannot be run, or texts whose states are the same in the model.
    """
    positive, negative = (
        last_states(model, _encode_side(model, contrast[side], text, f"{where} → {side}"), batch_size)
        for side in ("positive", "negative")
    )
    if contrast.get("method", ContrastOptions.method) == "principal_component":
        vectors = principal_component(positive - negative)
    else:
        vectors = positive.mean(axis=0) - negative.mean(axis=0)
    if not vectors.any():
        raise ConfigError(
            "the positive and the negative texts have the same states in the model",
            where=where,
            expected="texts that differ",
        )
    return vectors


def last_states(model: LoadedModel, encoded: Sequence[Encoded], batch_size: int) -> np.ndarray:
    """residual[l] of each text at its read position, [i, L + 1, d], float64; forward passes only."""
    lengths = [len(e.ids) for e in encoded]
    together = not lengths or ranges_of(model.module).allow(min(lengths), max(lengths))
    size = batch_size if together and not model.prompts_interact else 1
    states = []
    for start in range(0, len(encoded), size):
        batch = encoded[start : start + size]
        # Gradients stay enabled, as in recording: without them some CPUs repack 4-bit weights for good.
        with torch.enable_grad(), Taps(model.module, model.anatomy, [len(e.ids) for e in batch], factors=False) as flow:
            model.module(**model_inputs(model, batch, attention_entropy=False))
        to_host = ToHost()
        residuals = [to_host.start(flow.residual[layer]) for layer in range(model.anatomy.n_layers + 1)]
        to_host.wait()
        for b, e in enumerate(batch):
            rows = [to_numpy(residual[b, e.read_position]) for residual in residuals]
            states.append(np.stack(rows).astype(np.float64))
    return np.stack(states)


def principal_component(differences: np.ndarray) -> np.ndarray:
    """First principal component of paired differences [i, l, d], per layer, [l, d].

    Each pair counts in both orders, so that the mean is zero and the component lies along the differences themselves,
    not along their scatter: it is the first right singular vector of the differences as they are. It points towards the
    positive texts, and is as long as they differ along it on average; zero where they do not differ.
    """
    vectors = np.zeros(differences.shape[1:])
    for layer in range(differences.shape[1]):
        rows = differences[:, layer]
        direction = np.linalg.svd(rows, full_matrices=False)[2][0]
        vectors[layer] = (rows @ direction).mean() * direction
    return vectors


def write_directions(vectors: np.ndarray, path: str | Path, labels: Mapping[str, Any]) -> None:
    """Write directions [L + 1, d] as float32 tensors residual.0 to residual.L, with labels as metadata."""
    tensors = {f"residual.{layer}": vector.astype(np.float32) for layer, vector in enumerate(vectors)}
    # One entry: safetensors writes several in any order, and equal directions should be equal files.
    with whole_file(path) as temporary:
        save_file(tensors, str(temporary), metadata={"internal_physics": json.dumps(dict(labels))})


def _encode_side(model: LoadedModel, texts: Sequence[str], options: TextOptions | None, where: str) -> list[Encoded]:
    reader = text_reader(model, options)
    return [_encode(reader, text, i, f"{where} → {i} ({text!r})") for i, text in enumerate(texts)]


def _encode(reader: TextReader, text: str, number: int, where: str) -> Encoded:
    """Token ids of a text; read at the last token, or at its [MASK].

    Raises:
        ConfigError: for a text that cannot be run.
    """
    try:
        token_ids = reader.read(text, where)
    except PromptError as error:
        raise ConfigError(error.what, where=error.where, expected=error.expected, todo=error.todo) from None
    mask = reader.tokenizer.mask_token_id if reader.task == "masked" else None
    masks = [t for t, token in enumerate(token_ids.ids) if token == mask]
    position = masks[0] if len(masks) == 1 else len(token_ids.ids) - 1
    return Encoded(
        Prompt(f"text_{number + 1}", text), token_ids.ids, token_ids.tokens, position, special=token_ids.special
    )
