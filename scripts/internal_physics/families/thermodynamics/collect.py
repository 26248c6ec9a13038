"""Rule collect_thermodynamics: rows of single models → the tables spectra and thermodynamics."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import zip_longest

import pandas as pd

from internal_physics.families.thermodynamics.flags import FLAGS
from internal_physics.ground.errors import StoreError
from internal_physics.tables.contract import published_rows, read_rows
from internal_physics.tables.stream import CsvWriter, Pieces, by_set, read_pieces

_KEYS = ["model", "condition", "prompt_set", "prompt", "parameter"]
_NOTHING = pd.DataFrame(columns=[*_KEYS, *FLAGS])


def collect_thermodynamics_files(
    *,
    weights: Iterable[str],
    states: Iterable[str],
    flags: Iterable[str],
    means: Iterable[str],
    layers: Iterable[str],
    counts: Iterable[str],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Pieces of the five tables, in the order of the files; no more is held than the states of one prompt set.

    Raises:
        StoreError: if the flags are not those of the states.
    """
    for path in weights:
        yield "spectra", spectra_table(read_rows(path))
    for of_states, of_flags in zip(states, flags, strict=True):
        for found in zip_longest(*(by_set(read_pieces(path)) for path in (of_states, of_flags)), fillvalue=_NOTHING):
            yield "thermodynamics", flagged_states(*found)
    for name, paths in {"thermodynamics_means": means, "phases": layers, "phase_counts": counts}.items():
        yield from ((name, piece) for path in paths for piece in read_pieces(path))


def with_published(pieces: Pieces, paths: Mapping[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The same pieces; those of table `thermodynamics` are written under the published names on their way.

    Args:
        pieces: of tables, the rows of a prompt in one piece.
        paths: model → its CSV.
    """
    with ExitStack() as stack:
        writers = {model: stack.enter_context(CsvWriter(path)) for model, path in paths.items()}
        for name, piece in pieces:
            if name == "thermodynamics":
                for model, rows in piece.groupby("model", sort=False):
                    writers[model].append(published_rows(rows))
            yield name, piece


def spectra_table(weights: pd.DataFrame) -> pd.DataFrame:
    """One row per weight with what describes its spectrum; the singular values themselves stay in results/weights."""
    shape = weights["shape"].map(lambda sizes: "×".join(str(size) for size in sizes))
    largest = weights["singular_values"].map(lambda values: float(values[0]))
    return weights.drop(columns="singular_values").assign(shape=shape, largest_singular_value=largest)


def flagged_states(states: pd.DataFrame, flags: pd.DataFrame) -> pd.DataFrame:
    """States with their flags beside them; both have the same rows in the same order.

    Raises:
        StoreError: if they have not.
    """
    if not states[_KEYS].reset_index(drop=True).equals(flags[_KEYS].reset_index(drop=True)):
        raise StoreError(
            "the flags of rule phases do not belong to the states of rule thermodynamics",
            expected="the same weights and prompts in the same order",
            todo="delete results/phases and run again",
        )
    return states.assign(**{name: flags[name].to_numpy() for name in FLAGS})
