"""How fast the generators of the lab write a million texts, each run in a fresh folder."""

import tempfile
import time
from pathlib import Path

from internal_physics.lab import data

from benchmarks.harness import Row

N_PEOPLE = 1_000_000
BAR_S = 60.0  # so that nobody waits for data


def rows() -> list[Row]:
    """A million biographies as Parquet, drawing the people included."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "biographies.parquet"
        begin = time.perf_counter()
        data.write_biographies(file, N_PEOPLE)
        seconds = time.perf_counter() - begin
        megabytes = file.stat().st_size / 1e6
    measured = f"{seconds:.1f} s, {N_PEOPLE / seconds:,.0f} a second, {megabytes:.0f} MB"
    return [
        Row(
            "a million biographies as Parquet, with the place of every value",
            f"≤ {BAR_S:.0f} s",
            measured,
            seconds <= BAR_S,
        )
    ]
