"""Print the table of measured ratios: `make bench`, or `python -m benchmarks --rounds 3` for a quick look."""

import argparse

import torch

from benchmarks import memory, recording, scale, scale_memory, thermodynamics
from benchmarks.harness import Row


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| what | bar | measured | held |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {r.what} | {r.bar} | {r.measured} | {'yes' if r.held else '**no**'} |" for r in rows])


def main() -> None:
    """Run every benchmark and print one table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help="rounds per comparison")
    rounds = arguments.parse_args().rounds
    rows = [*recording.rows(rounds), *memory.rows(), *thermodynamics.rows(rounds)]
    rows += [*scale.rows(rounds), *scale_memory.rows()]
    print(f"\nSmolLM2-135M, float32, CPU, {torch.get_num_threads()} threads, median of {rounds} alternating rounds\n")
    print(table(rows))


if __name__ == "__main__":
    main()
