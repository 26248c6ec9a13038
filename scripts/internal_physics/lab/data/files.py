"""People, biographies and questions as Parquet, any number of them, chunk by chunk in little memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.ground.files import whole_file
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.bio_d import BioD
from internal_physics.lab.data.biographies import Augmentation, plan_biographies
from internal_physics.lab.data.people import People, draw_people
from internal_physics.lab.data.pools import ATTRIBUTES, Pools, natural_pools
from internal_physics.lab.data.texts import Writer, full_names

CHUNK = 50_000  # people


def write_biographies(
    path: str | Path,
    n_people: int,
    *,
    augmentation: Augmentation | None = None,
    pools: Pools | None = None,
    seed: int = 0,
) -> People:
    """Write biographies of n people as Parquet; for a million people seconds, not minutes.

    Args:
        path: of the file; columns as `Writer.biographies`.
        n_people: how many.
        augmentation: texts of each person; one in the fixed order when not given.
        pools: lists to draw from; the project's English ones when not given.
        seed: the same seed gives the same file content. The first people are the same for any number of them.

    Returns:
        The people.

    Raises:
        UserError: for a number of people that the lists do not allow.
        StoreError: if the disk refuses.
    """
    people = draw_people(n_people, pools or natural_pools(), seed)
    _write(path, biography_chunks(people, augmentation or Augmentation(), seed))
    return people


def biography_chunks(people: People, augmentation: Augmentation, seed: int) -> Iterator[pa.Table]:
    """Biographies of people, `CHUNK` people at a time; columns as `Writer.biographies`."""
    writer = Writer(people.pools)
    for number, first in enumerate(range(0, len(people), CHUNK)):
        persons = np.arange(first, min(first + CHUNK, len(people)))
        yield writer.biographies(people, plan_biographies(people, augmentation, seed, persons, part=number))


def write_questions(path: str | Path, people: People) -> None:
    """Write the six questions about each person: person, attribute, question, answer."""
    writer = Writer(people.pools)
    _write(path, (writer.questions(people, name) for name in ATTRIBUTES))


def write_people(path: str | Path, people: People) -> None:
    """Write a table of people: person, name, pronoun, and the text of each attribute."""
    writer = Writer(people.pools)
    columns = {
        "person": pa.array(np.arange(len(people))),
        "name": full_names(people),
        "pronoun": pa.array(people.pools.pronouns).take(pa.array(people.pronoun)),
    }
    _write(path, [pa.table(columns | {name: writer.values(people, name) for name in ATTRIBUTES})])


def write_bio_d(path: str | Path, data: BioD, seed: int = 0) -> None:
    """Write one text of each person of bioD: person, text."""
    draws = generator(seed, "bioD texts")
    texts = [data.text(person, draws) for person in range(data.sizes.people)]
    _write(path, [pa.table({"person": np.arange(len(texts)), "text": texts})])


def _write(path: str | Path, tables: Iterator[pa.Table] | list[pa.Table]) -> None:
    """Write tables of the same columns to one file, complete or not at all."""
    chunks = iter(tables)
    first = next(chunks)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, first.schema, compression="zstd") as file:
        file.write_table(first)
        for chunk in chunks:
            file.write_table(chunk)
