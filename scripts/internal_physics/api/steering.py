"""`ip.steer`: an intervention on the residual stream, from numbers, a file or contrasting texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from internal_physics.api.checks import in_words, require_model, steering_rules
from internal_physics.config.conditions import check_steering
from internal_physics.config.explain import plain, require_options
from internal_physics.config.options.steering import ContrastOptions, SteeringOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.derive_direction import derive_direction
from internal_physics.steering.directions import build_steering
from internal_physics.steering.intervention import Steering


@in_words
def steer(
    model: LoadedModel,
    *,
    vector: Sequence[float] | None = SteeringOptions.vector,
    file: str | Path | None = SteeringOptions.file,
    contrast: Mapping[str, Any] | ContrastOptions | None = SteeringOptions.contrast,
    scale: float = SteeringOptions.scale,
    layers: Sequence[int] | Mapping[int, float] | None = SteeringOptions.layers,
    tokens: Sequence[float] | None = SteeringOptions.tokens,
) -> Steering:
    """Prepare an intervention for `record` and `generate`, with the options of a condition of the config.

    Exactly one of `vector`, `file` and `contrast` gives the direction.

    Args:
        model: from `load`.
        vector: the direction as numbers; repeated to the width of the residual stream where it is shorter.
        file: a .safetensors, .pt or .csv file with the direction (docs/options.md, under `conditions`).
        contrast: texts: {"positive": [...], "negative": [...]}, and `method`.
        scale: factor of the direction at every layer and token.
        layers: where it is added, l = 0..L: a list, or a mapping from layer to weight. None: every block, or the
            layers that the file names.
        tokens: weights from the first to the last token, interpolated linearly. None: 1 everywhere.

    Raises:
        ConfigError: for an option that is invalid or does not fit the model.
    """
    require_model(model, "steer")
    given = {
        "vector": vector,
        "file": str(file) if isinstance(file, Path) else file,
        "contrast": _mapping(contrast),
        "scale": scale,
        "layers": layers,
        "tokens": tokens,
    }
    options = {key: plain(value) for key, value in given.items() if value is not None or key == "scale"}
    _require_one(options)
    require_options(_text_keys(options), steering_rules(), "steer")
    if "contrast" in options:
        options["contrast"] = {"method": ContrastOptions.method, **options["contrast"]}
    check_steering(options, "steer")
    derived = derive_direction(model, options["contrast"], where="steer") if "contrast" in options else None
    return build_steering(options, model.anatomy, file=options.get("file"), derived=derived, where="steer")


def _mapping(contrast: object) -> object:
    if isinstance(contrast, ContrastOptions):
        return {"positive": contrast.positive, "negative": contrast.negative, "method": contrast.method}
    return contrast


def _text_keys(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the keys of `layers` into text, as in JSON; `check_steering` checks the original ones."""
    layers = options.get("layers")
    return {**options, "layers": {str(k): v for k, v in layers.items()}} if isinstance(layers, dict) else dict(options)


def _require_one(options: Mapping[str, Any]) -> None:
    kinds = SteeringOptions.EXACTLY_ONE
    if sum(kind in options for kind in kinds) != 1:
        raise ConfigError(
            f"it has none or several of {', '.join(f'`{kind}`' for kind in kinds[:-1])} and `{kinds[-1]}`",
            where="steer",
            expected="exactly one of them",
        )
