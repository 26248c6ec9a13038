"""The outputs of the current config, listed by name; outputs of other configs are moved aside.

Records, metrics of a model and snapshots are shared by all configs that run in a folder. Tables, figures and published
folders belong to one run: those of an earlier config are moved to results/aside, never deleted.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from internal_physics.ground.files import write_text

LOGGER = logging.getLogger("internal_physics")
PLACES = (
    *("results/tables/*", "results/figures/*", "results/prompts/*", "results/information/**/*"),
    *("results/residual_gain/*", "results/thermodynamics/*.csv"),
)
ASIDE = "results/aside"
MANIFEST = "results/manifest.txt"
LAST_CONFIG = ".last_config"
_N_NAMED = 3  # of the files that were moved


def strangers(outputs: Iterable[str], places: Iterable[str] = PLACES) -> list[Path]:
    """Files at `places` that are neither among `outputs` nor beneath one of them; sorted. Hidden ones are left out.

    A hidden file is one that a job is writing now.
    """
    own = {Path(path) for path in outputs}
    return sorted(
        path
        for place in places
        for path in Path().glob(place)
        if path.is_file() and not path.name.startswith(".") and own.isdisjoint([path, *path.parents])
    )


def move_aside(paths: Iterable[Path], aside: str = ASIDE) -> list[Path]:
    """Move files of results/ to the same place beneath `aside`, overwriting files there; returns their new paths."""
    moved = []
    for path in paths:
        place = Path(aside) / path.relative_to("results")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)
        moved.append(place)
    return moved


def write_manifest(outputs: Sequence[str], config_checksum: str, of_run: Sequence[str], path: str = MANIFEST) -> None:
    """Move aside the files that the config does not make, then list those that it makes.

    Args:
        outputs: files and folders that the config makes, relative to the working directory.
        config_checksum: of the config with all its defaults.
        of_run: outputs that have the same name in every config. They are moved aside too if the last run had another
            config, so that after a failed run no report of another config is left.
        path: of the manifest.
    """
    last = Path(path).with_name(LAST_CONFIG)  # Snakemake removes the manifest before it is made again
    is_another = last.exists() and last.read_text(encoding="utf-8") != config_checksum
    left = strangers(outputs) + [Path(name) for name in of_run if is_another and Path(name).exists()]
    _say_what_moved(move_aside(left))
    write_text(last, config_checksum)
    lines = ["# What this run makes; files beneath a folder belong to it.", f"# config: {config_checksum}", *outputs]
    write_text(path, "\n".join(lines) + "\n")


def _say_what_moved(moved: Sequence[Path]) -> None:
    """One line, whatever their number."""
    if len(moved) == 1:
        LOGGER.warning("an output of another config was moved to %s", moved[0])
    elif moved:
        names = [str(path.relative_to(ASIDE)) for path in moved[:_N_NAMED]]
        more = ["…"] if len(moved) > _N_NAMED else []
        LOGGER.warning(
            "%d outputs of another config were moved to %s: %s", len(moved), ASIDE, ", ".join([*names, *more])
        )
