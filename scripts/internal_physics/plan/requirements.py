"""Checks before any work: that sets of prompts suit their metrics, models are there, and jobs can be started."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from internal_physics.config.load import Config
from internal_physics.families.family import Metric
from internal_physics.families.registry import METRICS
from internal_physics.ground.errors import ConfigError, SourceError, StoreError
from internal_physics.ground.words import plural
from internal_physics.models.sources import parse_source

_SPECIAL = re.compile(r"[\s'\"\\$`&|;<>()]")  # what a shell would not take as part of a name


def refuse_unusable_python(python: str) -> None:
    """Refuse a Python whose path a shell takes for several words: Snakemake starts its jobs with it, unquoted.

    Args:
        python: path of the interpreter.

    Raises:
        ConfigError: for a path with white space, quotes, brackets or other signs of a shell.
    """
    if found := _SPECIAL.search(python):
        raise ConfigError(
            f"its path has {found.group()!r} in it, and Snakemake starts jobs with this path as it is",
            where=python,
            expected="a Python whose path has no white space, quotes, brackets or other signs of a shell",
            todo="move the folder, or put the environment elsewhere: `make run VENV=/path/to/environment` in a clone",
        )


def refuse_read_only(*folders: str | Path) -> None:
    """Refuse folders in which nothing may be written; those that are not there are not looked at.

    Raises:
        StoreError: naming the first.
    """
    for folder in folders:
        if Path(folder).exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                "nothing may be written here",
                where=str(Path(folder).resolve()),
                expected="a folder in which a run may write its results",
                todo="change its permissions, or run in another folder; --dry-run and `show` only read",
            )


def refuse_missing_models(config: Config, where: str, snapshots: str) -> None:
    """Refuse a local model that does not exist, unless its snapshot was made before.

    Args:
        config: checked.
        where: the config's name, for messages.
        snapshots: folder of the snapshots.

    Raises:
        SourceError: for a `path:` source or adapter without such a file or folder.
    """
    for name, source in config.sources.items():
        if Path(snapshots, source.snapshot).is_dir():
            continue
        adapter = parse_source(source.adapter) if source.adapter else None
        for option, given in (("source", source), ("adapter", adapter)):
            if given and given.kind == "path" and not Path(given.name).expanduser().exists():
                raise SourceError(
                    f"there is no file or folder {given.name}",
                    where=f"{where}: models → {name} → {option}",
                    expected=f"a path from the folder {Path.cwd()}, or an absolute one",
                    todo="correct the path",
                )


def refuse_unmet_requirements(config: Config, where: str) -> None:
    """Refuse a config with a metric that cannot be computed from its prompt sets.

    Args:
        config: checked.
        where: the config's name, for messages.

    Raises:
        ConfigError: for a prompt set that is too small or keeps too little, and for metrics that fill no common table.
    """
    metrics = [METRICS[name] for name in config.raw["metrics"]]
    for problems in (_no_common_tables(metrics, where), *(_unmet(metric, config, where) for metric in metrics)):
        for problem in problems:
            raise problem


def _no_common_tables(metrics: list[Metric], where: str) -> Iterator[ConfigError]:
    if not any(metric.in_layers for metric in metrics):
        yield ConfigError(
            f"{' and '.join(metric.name for metric in metrics)} alone: the tables that every run has would be empty",
            where=f"{where}: metrics",
            expected=f"at least one of {', '.join(name for name, metric in METRICS.items() if metric.in_layers)}",
            todo="add one; they are computed from the same records",
        )


def _unmet(metric: Metric, config: Config, where: str) -> Iterator[ConfigError]:
    for name, prompt_set in config.prompt_sets.items():
        place = f"{where}: prompt_sets → {name}"
        if len(prompt_set.prompts) < metric.min_prompts:
            yield ConfigError(
                f"it has {plural(len(prompt_set.prompts), 'prompt')}",
                where=place,
                expected=f"at least {metric.min_prompts}, for the metric {metric.name}",
                todo=f"add prompts, or leave {metric.name} out of `metrics`",
            )
        if metric.needs_weight_gradients and prompt_set.weight_gradients == "none":
            yield ConfigError(
                "weight_gradients: none",
                where=place,
                expected=f"norms, sketch or factors, for the metric {metric.name}",
                todo=f"set weight_gradients: norms, or leave {metric.name} out of `metrics`",
            )
