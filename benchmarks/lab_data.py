"""How fast the generators of the lab write a million texts, each run in a fresh folder."""

import tempfile
import time
from pathlib import Path

import numpy as np
from internal_physics.lab import data

from benchmarks.harness import Row

N_PEOPLE = 1_000_000
N_STRINGS = 1_000_000
N_EXACT = 40
BAR_EXACT_MS = 60.0  # a hundred strings in some seconds
BAR_S = 60.0  # so that nobody waits for data
N_PROBLEMS = 2000
BAR_PROBLEMS_A_SECOND = 500.0  # 16 processes then feed 2 million tokens a second to a training


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


def grammar_rows() -> list[Row]:
    """A million strings of the largest grammar as Parquet, and exact distributions of the next token."""
    grammar = data.grammar_named("cfg3f")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        data.write_strings(grammar, N_STRINGS, Path(folder) / "strings.parquet")
        seconds = time.perf_counter() - begin
    written = f"{seconds:.1f} s, {N_STRINGS / seconds:,.0f} a second"
    strings = data.sample_forest(grammar, N_EXACT, np.random.default_rng(0)).strings()
    begin = time.perf_counter()
    data.prefixes(grammar, strings)
    each_ms = 1e3 * (time.perf_counter() - begin) / N_EXACT
    what = "exact distribution of the next token after every prefix of a string of cfg3f, in float64"
    return [
        Row("a million strings of cfg3f (250 tokens) as Parquet", f"≤ {BAR_S:.0f} s", written, seconds <= BAR_S),
        Row(what, f"≤ {BAR_EXACT_MS:.0f} ms a string", f"{each_ms:.0f} ms", each_ms <= BAR_EXACT_MS),
    ]


def reasoning_rows() -> list[Row]:
    """English problems of reasoning with solutions as Parquet, of the sizes of iGSM-med."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        data.write_problems(Path(folder) / "problems.parquet", N_PROBLEMS)
        each_second = N_PROBLEMS / (time.perf_counter() - begin)
    return [
        Row(
            "English problems of reasoning with solutions as Parquet, one process",
            f"≥ {BAR_PROBLEMS_A_SECOND:.0f} a second",
            f"{each_second:,.0f} a second",
            each_second >= BAR_PROBLEMS_A_SECOND,
        )
    ]
