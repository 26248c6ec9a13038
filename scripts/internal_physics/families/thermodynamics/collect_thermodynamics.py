"""Rule collect_thermodynamics: rows of single models → the tables spectra and thermodynamics."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import pandas as pd

from internal_physics.families.thermodynamics.flags import FLAGS
from internal_physics.families.thermodynamics.reached import with_experts
from internal_physics.ground.errors import StoreError
from internal_physics.tables.chunks import by_set, read_chunks
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.rows import read_rows

_KEYS = [*PROMPT_KEY, "parameter"]
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
    """Chunks of the five tables, in the order of the files; memory holds only the states of one prompt set.

    Raises:
        StoreError: if the flags are not those of the states.
    """
    for path in weights:
        yield "spectra", spectra_table(read_rows(path))
    for of_states, of_flags in zip(states, flags, strict=True):
        for found in zip_longest(*(by_set(read_chunks(path)) for path in (of_states, of_flags)), fillvalue=_NOTHING):
            yield "thermodynamics", flagged_states(*found)
    for chunk in (chunk for path in means for chunk in read_chunks(path)):
        yield "thermodynamics_means", with_experts(chunk)
    for name, paths in {"phases": layers, "phase_counts": counts}.items():
        yield from ((name, chunk) for path in paths for chunk in read_chunks(path))


def spectra_table(weights: pd.DataFrame) -> pd.DataFrame:
    """One row per weight with what describes its spectrum; the singular values themselves stay in results/weights."""
    shape = weights["shape"].map(lambda sizes: "×".join(str(size) for size in sizes))
    largest = weights["singular_values"].map(lambda values: float(values[0]))
    described = weights.drop(columns="singular_values").assign(shape=shape, largest_singular_value=largest)
    return with_experts(described)


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
    return with_experts(states.assign(**{name: flags[name].to_numpy() for name in FLAGS}))
