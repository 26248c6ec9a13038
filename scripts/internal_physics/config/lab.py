"""Arms of the lab as a config gives them. No heavy imports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from internal_physics.config.options.lab import ArmEntry
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.suggest import did_you_mean
from internal_physics.models.sources import LAST, Source


@dataclass(frozen=True)
class LabArm:
    """An arm.

    Attributes:
        name: as in the config.
        experiment: whose data it reads.
        seeds: one training each.
        options: data, model and training, each a mapping with all defaults written in.
        starts_from: the arm with whose last weights it begins; "" for none.
    """

    name: str
    experiment: str
    seeds: tuple[int, ...]
    options: Mapping[str, Mapping[str, Any]]
    starts_from: str = ""


def lab_arms(section: Mapping[str, Any], where: str) -> dict[str, LabArm]:
    """The arms of a checked section `lab`, by name.

    Args:
        section: of the config.
        where: the section, for messages.

    Raises:
        ConfigError: for an arm that cannot start from the one that it names.
    """
    arms: dict[str, LabArm] = {}
    for name, entry in section["arms"].items():
        (experiment,) = (key for key in ArmEntry.EXACTLY_ONE if key in entry)
        options = {"data": entry[experiment], "model": entry["model"], "training": entry["training"]}
        seeds = tuple(entry.get("seeds") or section["seeds"])
        arms[name] = LabArm(name, experiment, seeds, options, entry.get("starts_from") or "")
    for arm in arms.values():
        if arm.starts_from:
            _require_start(arm, arms, where)
        if arm.options["training"]["low_rank"]:
            _require_full_weights(arm, where)
    return arms


def _require_full_weights(arm: LabArm, where: str) -> None:
    """Refuse to train a low-rank change of random weights, or with steps that are made for whole matrices."""
    place = f"{where} → arms → {arm.name} → training → low_rank"
    if not arm.starts_from:
        raise ConfigError(
            "there is nothing to change: the arm begins with random weights", where=place, expected="starts_from"
        )
    if arm.options["training"]["optimizer"] != "adamw":
        raise ConfigError(f"the optimizer is {arm.options['training']['optimizer']}", where=place, expected="adamw")


def _require_arm(name: str, others: Mapping[str, LabArm], place: str) -> None:
    """Refuse the name of an arm that is not there."""
    if name not in others:
        expected = f"one of {', '.join(others)}" if others else "an arm of `lab.arms`, which has no other"
        todo = did_you_mean(name, others, otherwise=f"add {name!r} to `lab.arms`, or leave this out")
        raise ConfigError(f"there is no arm {name!r}", where=place, expected=expected, todo=todo)


def _require_start(arm: LabArm, arms: Mapping[str, LabArm], where: str) -> None:
    """Refuse an arm whose first weights do not exist, or are of another model."""
    name = arm.starts_from
    place = f"{where} → arms → {arm.name} → starts_from"
    if name != arm.name:
        _require_arm(name, {other: its for other, its in arms.items() if other != arm.name}, place)
    first = arms[name]
    if first.starts_from:
        raise ConfigError(
            f"{name} itself starts from {first.starts_from}", where=place, expected="an arm that does not"
        )
    if (first.experiment, first.options["model"]) != (arm.experiment, arm.options["model"]):
        raise ConfigError(f"{name} has another experiment or model", where=place, expected="the same of both")
    if missing := sorted(set(arm.seeds) - set(first.seeds)):
        seeds = ", ".join(map(str, missing))
        raise ConfigError(f"{name} is not trained with seed {seeds}", where=place, expected="all seeds of this arm")


def refuse_unknown_trainings(sources: Mapping[str, Source], arms: Mapping[str, LabArm], where: str) -> None:
    """Refuse a model of a training, or of one of its steps, that this config does not make.

    How many steps a training has, only its data tell: of the steps after the last of `training.snapshots`, one may be
    the last step.

    Raises:
        ConfigError: naming the arms, the seeds or the steps that there are.
    """
    last_steps: dict[str, int] = {}
    for name, source in sources.items():
        if source.kind != "lab":
            continue
        place = f"{where}: models → {name} → source"
        arm, _, seed = source.name.partition("/")
        _require_arm(arm, arms, place)
        if int(seed) not in arms[arm].seeds:
            seeds = ", ".join(map(str, arms[arm].seeds))
            raise ConfigError(f"the arm {arm} has no seed {seed}", where=place, expected=f"one of {seeds}")
        if source.revision != LAST:
            _require_snapshot(arms[arm], int(source.revision), last_steps, place)


def _require_snapshot(arm: LabArm, step: int, last_steps: dict[str, int], place: str) -> None:
    """Refuse a step of which no snapshot is kept.

    Args:
        arm: of the lab.
        step: of a model.
        last_steps: arm → the step beyond its snapshots that was found first, which may be its last; filled here.
        place: of the model in the config.
    """
    kept: list[int] = sorted(arm.options["training"]["snapshots"])
    may_be_last = step > max(kept, default=-1) and last_steps.setdefault(arm.name, step) == step
    if step not in kept and not may_be_last:
        raise ConfigError(
            f"the arm {arm.name} keeps no snapshot of step {step}",
            where=place,
            expected=f"one of {', '.join(map(str, kept))}, or the last step" if kept else "the last step",
            todo=f"add {step} to lab → arms → {arm.name} → training → snapshots, or leave it out of the model",
        )
