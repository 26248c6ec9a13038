"""Directions for steering, fitted to one model: numbers or a file → a Steering."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from internal_physics.config.conditions import layer_weights
from internal_physics.config.options.steering import SteeringOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.models.anatomy import Anatomy
from internal_physics.models.snapshot import sha256_of
from internal_physics.steering.direction_files import Direction, read_directions
from internal_physics.steering.intervention import Edit, Steering, fit_width


def build_steering(
    options: Mapping[str, Any],
    anatomy: Anatomy,
    *,
    file: str | Path | None = None,
    derived: np.ndarray | None = None,
    where: str = "steering",
) -> Steering:
    """Fit a condition to a model.

    Args:
        options: vector, file or contrast; scale, layers, tokens: as in the config.
        anatomy: of the model.
        file: where the directions of `file` or `contrast` are.
        derived: the directions of `contrast`, [L + 1, d], instead of a file.
        where: the place in the config, for messages.

    Raises:
        ConfigError: for a vector of the wrong width, a layer or hookpoint that the model does not have, or a file
            with other content.
    """
    if "vector" in options:
        directions: Direction | dict[int, Direction] = Direction(
            fit_width(options["vector"], anatomy.width, f"{where} → vector")
        )
    elif derived is not None:
        directions = {layer: Direction(vector) for layer, vector in enumerate(derived)}
    else:
        directions = read_directions(
            Path(str(file)), anatomy, f"{where} → {'file' if 'file' in options else 'contrast'}"
        )
    place = where if "layers" in options or file is None else f"{where} → {file}"
    weights = _weights(options, directions, anatomy, place)
    scale = float(options.get("scale", SteeringOptions.scale))
    edits = {layer: (_edit(_at(directions, layer, where), scale, weight),) for layer, weight in weights.items()}
    tokens = tuple(float(w) for w in options.get("tokens", (1.0,)))
    return Steering(edits, tokens, _describe(options, weights, file))


def _weights(options: Mapping[str, Any], directions: object, anatomy: Anatomy, where: str) -> dict[int, float]:
    weights = layer_weights(options.get("layers"), f"{where} → layers")
    if weights is None:
        every = range(anatomy.n_layers)  # a derived direction is applied to the last residual only on request
        chosen = directions if "file" in options and isinstance(directions, dict) else every
        weights = dict.fromkeys(chosen, 1.0)
    unknown = [layer for layer in weights if layer > anatomy.n_layers]
    if unknown:
        raise ConfigError(
            f"there is no layer {unknown[0]}",
            where=f"{where} → layers",
            expected=f"0 to {anatomy.n_layers}; this model has {anatomy.n_layers} blocks",
        )
    return weights


def _at(directions: Direction | dict[int, Direction], layer: int, where: str) -> Direction:
    if isinstance(directions, Direction):
        return directions
    if layer not in directions:
        raise ConfigError(
            f"the file has no vector for layer {layer}",
            where=f"{where} → layers",
            expected=f"some of {', '.join(map(str, sorted(directions)))}",
        )
    return directions[layer]


def _edit(direction: Direction, scale: float, weight: float) -> Edit:
    if direction.action == "clamp":
        return Edit(direction.vector, "clamp", scale * direction.coefficient, weight, direction.bias)
    return Edit(scale * weight * direction.coefficient * direction.vector)


def _describe(options: Mapping[str, Any], weights: Mapping[int, float], file: str | Path | None) -> dict[str, Any]:
    """The steering as stored in a record's metadata: the options, the layer weights used, the checksum of a file."""
    described = {**options, "layers": {str(layer): weight for layer, weight in weights.items()}}
    return described | ({} if file is None else {"sha256": sha256_of(Path(file))})
