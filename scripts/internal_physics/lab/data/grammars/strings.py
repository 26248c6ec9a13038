"""Strings of a grammar as a Parquet file, without training anything."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from internal_physics.ground.files import whole_file
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.grammars.forest import Forest, sample_forest
from internal_physics.lab.data.grammars.grammar import Grammar

PER_CHUNK = 20_000


def write_strings(grammar: Grammar, n_strings: int, path: str | Path, *, seed: int = 0) -> None:
    """Write independent random strings: columns `text` (terminals' ids with blanks between) and `n_tokens`.

    The same seed gives the same strings; a larger number of strings begins with those of a smaller one.

    Args:
        grammar: whose.
        n_strings: how many, at least 1.
        path: of the Parquet file; grammar and seed are in its metadata.
        seed: of the draws.

    Raises:
        StoreError: the file cannot be written.
    """
    if n_strings < 1:
        raise ValueError(f"{n_strings} strings: expected at least 1")
    metadata = {"grammar": grammar.name, "seed": str(seed)}
    schema = pa.schema([("text", pa.string()), ("n_tokens", pa.int32())], metadata=metadata)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for first in range(0, n_strings, PER_CHUNK):
            forest = sample_forest(grammar, PER_CHUNK, generator(seed, "strings of a grammar", str(first)))
            chunk = pa.table([texts(forest), forest.lengths.astype(np.int32)], schema=schema)
            writer.write_table(chunk.slice(0, n_strings - first))


def texts(forest: Forest) -> pa.Array:
    """[tree] the strings as texts: ids of terminals with a blank between."""
    ends = np.concatenate([[0], np.cumsum(forest.lengths)])
    words = pa.array(forest.grammar.words).take(pa.array(forest.terminals))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), words), " ")
