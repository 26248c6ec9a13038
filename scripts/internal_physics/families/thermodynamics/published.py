"""Table `thermodynamics` under the published script's column names: one CSV per model."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pandas as pd

from internal_physics.tables.chunks import Chunks, CsvWriter

# Column of the published script → ours, in its order.
PUBLISHED_COLUMNS = {
    "name": "parameter",
    "temperature": "temperature",
    "entropy": "entropy_nats",
    "energy": "energy",
    "free_energy": "free_energy",
    "W_norm": "weight_norm",
    "G_norm": "gradient_norm",
    "dE": "d_energy",
    "dT": "d_temperature",
    "dG_norm": "d_gradient_norm",
    "dS": "d_entropy_nats",
    "dF": "d_free_energy",
    "specific_heat": "specific_heat",
    "susceptibility": "susceptibility",
    "compressibility": "compressibility",
    "latent_heat_jump": "latent_heat_jump",
    "neg_specific_heat": "negative_specific_heat",
    "suscept_divergent": "susceptibility_divergence",
    "high_compress": "high_compressibility",
}


def with_published(chunks: Chunks, paths: Mapping[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The same chunks; those of table `thermodynamics` are also written under the published names.

    Args:
        chunks: of tables, the rows of a prompt in one chunk.
        paths: model → its CSV.
    """
    with ExitStack() as stack:
        writers = {model: stack.enter_context(CsvWriter(path)) for model, path in paths.items()}
        for name, chunk in chunks:
            if name == "thermodynamics":
                for model, rows in chunk.groupby("model", sort=False):
                    writers[model].append(published_rows(rows))
            yield name, chunk


def published_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of table `thermodynamics` under the published column names.

    Those 19 columns come first, in the published order; condition, prompt_set and prompt follow, since there is a row
    per prompt and weight. Rows of a prompt are sorted by name as text.
    """
    keys = ["condition", "prompt_set", "prompt"]
    columns = {name: table[ours] for name, ours in PUBLISHED_COLUMNS.items()}
    renamed = pd.DataFrame(columns | {key: table[key] for key in keys})
    place = table.groupby(keys, sort=False).ngroup()
    return renamed.assign(place=place).sort_values(["place", "name"], kind="stable").drop(columns="place")
