"""Conditions: the baseline and the named steering interventions of the config, checked before any work.

No heavy imports: the Snakefile calls this while it is parsed. What depends on the model (its width, its number
of layers) is checked when the condition is recorded.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from internal_physics.config.options.steering import SteeringOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.names import BASELINE
from internal_physics.ground.options import names_of
from internal_physics.ground.strict_csv import read_csv
from internal_physics.ground.suggest import did_you_mean

FILE_KINDS = (".safetensors", ".pt", ".pth", ".csv")
SPARSE_CODER = "sae.safetensors"  # the weights file in a folder that sparsify writes
HOOKPOINT_COLUMNS = ("sparse_model", "hookpoint", "feature_index", "steering_coefficient")


@dataclass(frozen=True)
class Condition:
    """A named steering intervention.

    Attributes:
        name: the value of the wildcard `condition`.
        steering: vector, file or contrast, scale, and if given layers and tokens: all that a record depends on.
        models, prompt_sets: what it is recorded on.
    """

    name: str
    steering: Mapping[str, Any]
    models: tuple[str, ...]
    prompt_sets: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One model in one condition, and the prompt sets it is recorded on."""

    model: str
    condition: str
    prompt_sets: tuple[str, ...]


def parse_conditions(
    raw: Mapping[str, Mapping[str, Any]], models: Sequence[str], prompt_sets: Sequence[str], where: str
) -> dict[str, Condition]:
    """Check all named conditions.

    Args:
        raw: name → options, valid by the schema, defaults written in.
        models: names of the config's models.
        prompt_sets: names of its prompt sets.
        where: the place of `conditions` in the config.

    Raises:
        ConfigError: a name that is taken, an unknown model, set or file, a number that is not finite, a wrong layer,
            texts that cannot be paired.
    """
    return {name: _condition(name, options, models, prompt_sets, f"{where} → {name}") for name, options in raw.items()}


def plan_runs(
    models: Mapping[str, str], prompt_sets: Mapping[str, str], conditions: Mapping[str, Condition], where: str
) -> tuple[Run, ...]:
    """Which model runs in which condition on which prompt sets: the sets of its own task.

    Args:
        models: name → task.
        prompt_sets: name → task.
        conditions: name → condition.
        where: the config's name, for messages.

    Raises:
        ConfigError: for a model without prompt sets, a set without models, a condition that applies to nothing.
    """
    own = {model: tuple(s for s, task in prompt_sets.items() if task == its) for model, its in models.items()}
    _refuse_idle(models, prompt_sets, own, where)
    runs = [Run(model, BASELINE, sets) for model, sets in own.items()]
    for condition in conditions.values():
        runs_of_condition = [
            Run(model, condition.name, tuple(s for s in own[model] if s in condition.prompt_sets))
            for model in own
            if model in condition.models
        ]
        runs_of_condition = [run for run in runs_of_condition if run.prompt_sets]
        if not runs_of_condition:
            raise ConfigError(
                "no model of its `models` runs any of its `prompt_sets`",
                where=f"{where}: conditions → {condition.name}",
                expected="a model and a prompt set of one task",
            )
        runs += runs_of_condition
    return tuple(sorted(runs, key=lambda run: list(own).index(run.model)))


def check_steering(options: Mapping[str, Any], where: str) -> None:
    """Refuse what the schema cannot: numbers that are not finite, wrong layers, a missing file, unpaired texts.

    Args:
        options: valid by the schema, defaults written in.
        where: their place, for messages.

    Raises:
        ConfigError: naming the option.
    """
    for key in ("vector", "tokens"):
        for i, number in enumerate(options.get(key, [])):
            _finite(number, f"{where} → {key} → {i}")
    _finite(options["scale"], f"{where} → scale")
    layer_weights(options.get("layers"), f"{where} → layers")
    if "file" in options:
        _check_file(Path(options["file"]), f"{where} → file")
    if "contrast" in options:
        _check_contrast(options["contrast"], f"{where} → contrast")


def layer_weights(layers: Any, where: str) -> dict[int, float] | None:
    """Layer → weight, from a list or a mapping; None if nothing is given.

    Raises:
        ConfigError: for a layer that is not a whole number ≥ 0, a layer given twice, a weight that is not finite.
    """
    if layers is None:
        return None
    pairs = list(layers.items()) if isinstance(layers, Mapping) else [(layer, 1.0) for layer in layers]
    weights = {_layer(layer, where): _finite(weight, f"{where} → {layer}") for layer, weight in pairs}
    if len(weights) < len(pairs):
        raise ConfigError("a layer is given twice", where=where, expected="each layer once")
    return weights


def files_behind(file: str | Path) -> list[str]:
    """A steering file and the existing local files that it refers to (the sparse coders of a .csv)."""
    file = Path(file)
    if file.suffix != ".csv":
        return [str(file)]
    rows = read_hookpoints(file, str(file))
    coders = {Path(row.get("sparse_model", "")) / row.get("hookpoint", "") / SPARSE_CODER for _, row in rows}
    return [str(file), *sorted(str(path) for path in coders if os.path.isfile(path))]


def read_hookpoints(file: Path, where: str) -> list[tuple[str, dict[str, str]]]:
    """Rows of a steering file .csv, each with its place for messages.

    Raises:
        ConfigError: for a file that is not such a table, with its line.
    """
    rows = read_csv(file, HOOKPOINT_COLUMNS, where=where)
    if not rows:
        raise ConfigError("it has no rows", where=where, expected="a header and one row per hookpoint")
    return [(f"{where}: line {row.line}", row.cells) for row in rows]


def _condition(
    name: str, options: Mapping[str, Any], models: Sequence[str], prompt_sets: Sequence[str], where: str
) -> Condition:
    if name.lower() == BASELINE:
        raise ConfigError(f"the name {name!r} means no intervention", where=where, todo="choose another name")
    check_steering(options, where)
    return Condition(
        name=name,
        steering={key: options[key] for key in names_of(SteeringOptions) if key in options},
        models=_known(options.get("models"), models, f"{where} → models"),
        prompt_sets=_known(options.get("prompt_sets"), prompt_sets, f"{where} → prompt_sets"),
    )


def _check_file(path: Path, where: str) -> None:
    if path.suffix not in FILE_KINDS:
        raise ConfigError(f"a steering file ending in {path.suffix!r}", where=where, expected=", ".join(FILE_KINDS))
    if not os.path.isfile(path):
        raise ConfigError(
            f"there is no file {path}", where=where, todo="check the path; it is relative to the working directory"
        )
    if path.suffix == ".csv":
        read_hookpoints(path, f"{where} → {path}")


def _check_contrast(contrast: Mapping[str, Any], where: str) -> None:
    n_positive, n_negative = len(contrast["positive"]), len(contrast["negative"])
    if contrast["method"] == "principal_component" and n_positive != n_negative:
        raise ConfigError(
            f"{n_positive} positive and {n_negative} negative texts",
            where=where,
            expected="as many of each: principal_component takes them in pairs",
            todo="add texts, or use method: mean_difference",
        )


def _known(named: Sequence[str] | None, known: Sequence[str], where: str) -> tuple[str, ...]:
    unknown = [name for name in named or [] if name not in known]
    if unknown:
        raise ConfigError(
            f"there is no {unknown[0]!r}",
            where=where,
            expected=f"some of {', '.join(known)}",
            todo=did_you_mean(unknown[0], known),
        )
    return tuple(known if named is None else named)


def _layer(layer: Any, where: str) -> int:
    """A whole number ≥ 0; YAML keys may come as text."""
    if isinstance(layer, str) and layer.isdecimal():
        layer = int(layer)
    if not isinstance(layer, int) or isinstance(layer, bool) or layer < 0:
        raise ConfigError(f"there is no layer {layer!r}", where=where, expected="whole numbers from 0 to L")
    return layer


def _finite(number: Any, where: str) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise ConfigError(f"found {number!r}", where=where, expected="a finite number")
    return float(number)


def _refuse_idle(
    models: Mapping[str, str], prompt_sets: Mapping[str, str], own: Mapping[str, Iterable[str]], where: str
) -> None:
    for model, task in models.items():
        if not own[model]:
            raise ConfigError(
                f"it is a {task} model, and no prompt set is for task {task}",
                where=f"{where}: models → {model}",
                expected=f"at least one prompt set with task: {task}",
            )
    for name, task in prompt_sets.items():
        if task not in models.values():
            raise ConfigError(
                f"its task is {task}, and there is no {task} model",
                where=f"{where}: prompt_sets → {name}",
                expected="the task of at least one model",
            )
