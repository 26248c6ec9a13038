"""Checks before any work: that every arm of the lab can be trained and measured.

Each check calls the function that the job itself calls, so that there is no second rule. No torch; no data is drawn.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from internal_physics.config.lab import LabArm
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.lab.experiments.experiment import Experiment
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.lab.options import made
from internal_physics.lab.train.schedule import snapshot_steps
from internal_physics.models.sources import LAST, Source


def refuse_impossible_arms(arms: Mapping[str, LabArm], measures: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """Refuse an arm whose job would end at once, or whose measurement would after the training.

    Args:
        arms: of the lab.
        measures: experiment → what is measured on its arms.
        where: the config's name, for messages.

    Raises:
        UserError: naming the option of the arm: for a model that does not exist, data that cannot be made, a file that
            is not there, exposures that do not fill whole steps, a snapshot after the last step, a masked model that
            is not measured, and measures for which its data have no room.
    """
    for name, arm in arms.items():
        experiment, place = EXPERIMENTS[arm.experiment], f"{where}: lab → arms → {name}"
        with _placed(place):
            model = made(LabModelOptions, arm.options["model"])
            experiment.require_task(masked=model.masked)
        with _placed(f"{place} → {arm.experiment}"):
            _require_files(experiment, arm.options["data"])
            n_steps = _planned_steps(experiment, arm.options["data"])
            _require_measurable(experiment, arm.options["data"], measures.get(experiment.name, {}))
        if n_steps is not None:
            with _placed(place):
                snapshot_steps(made(TrainingOptions, arm.options["training"]), n_steps)


def refuse_steps_after_the_last(sources: Mapping[str, Source], arms: Mapping[str, LabArm], where: str) -> None:
    """Refuse a model of a step that its training does not reach.

    Args:
        sources: model → where it comes from; those of the lab are of arms that there are.
        arms: of the lab, which `refuse_impossible_arms` has accepted.
        where: the config's name, for messages.

    Raises:
        ConfigError: naming the model and the last step; an arm of which only its data tell the steps is not looked at.
    """
    for name, source in sources.items():
        if source.kind != "lab" or source.revision == LAST:
            continue
        arm = arms[source.name.partition("/")[0]]
        n_steps = _planned_steps(EXPERIMENTS[arm.experiment], arm.options["data"])
        if n_steps is None or int(source.revision) in snapshot_steps(
            made(TrainingOptions, arm.options["training"]), n_steps
        ):
            continue
        raise ConfigError(
            f"step {source.revision} of {arm.name}, which has {n_steps} steps",
            where=f"{where}: models → {name} → source",
            expected=f"a step of training → snapshots, or {n_steps}, the last",
            todo="choose one of them, or train longer",
        )


def _require_files(experiment: Experiment, data: Mapping[str, Any]) -> None:
    for option in experiment.input_files:
        if not Path(data[option]).is_file():
            raise ConfigError(
                f"there is no file {data[option]}",
                where=option,
                expected=f"a path from the folder {Path.cwd()}, or an absolute one",
                todo="correct the path",
            )


def _planned_steps(experiment: Experiment, data: Mapping[str, Any]) -> int | None:
    """Steps of a training; None where only its data tell."""
    options = made(experiment.data_options, data)
    return importlib.import_module(experiment.plans).planned_steps(options) if experiment.plans else None


def _require_measurable(experiment: Experiment, data: Mapping[str, Any], measures: Mapping[str, Any]) -> None:
    if experiment.limits and experiment.measure_options is not None:
        options, chosen = made(experiment.data_options, data), made(experiment.measure_options, measures)
        importlib.import_module(experiment.limits).require_measurable(options, chosen)


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Put the place in the config before the place that an error names."""
    try:
        yield
    except UserError as error:
        where = f"{place} → {error.where}" if error.where else place
        raise type(error)(error.what, where=where, expected=error.expected, todo=error.todo) from error
