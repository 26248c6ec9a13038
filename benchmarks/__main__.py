"""Print the table of measured ratios: `make bench`, or `python -m benchmarks --rounds 3` for a quick look."""

import argparse
import datetime
from pathlib import Path

import torch
import yaml

from benchmarks import (
    experts,
    four_scripts,
    lab_data,
    memory,
    recording,
    recording_cost,
    scale,
    scale_memory,
    thermodynamics,
)
from benchmarks.default_run import machine
from benchmarks.harness import Row

HEAD = "# What `make bench` printed; `python -m benchmarks --write docs/measured/bench.yaml` writes this file.\n"


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| what | bar | measured | held |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {r.what} | {r.bar} | {r.measured} | {'yes' if r.held else '**no**'} |" for r in rows])


def write(rows: list[Row], rounds: int, path: Path) -> None:
    """The table for docs/performance.md, with the machine and the day."""
    facts = {"machine": machine(), "date": datetime.date.today().isoformat(), "rounds": rounds}
    table_rows = [["what", "bar", "measured", "held"]]
    table_rows += [[row.what, row.bar, row.measured, "yes" if row.held else "no"] for row in rows]
    text = yaml.safe_dump({**facts, "rows": table_rows}, sort_keys=False, allow_unicode=True, width=200)
    path.write_text(HEAD + text, encoding="utf-8")


def main() -> None:
    """Run every benchmark and print one table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help="rounds per comparison")
    arguments.add_argument(
        "--write", type=Path, help="also write the table to this YAML file (docs/measured/bench.yaml)"
    )
    given = arguments.parse_args()
    rounds = given.rounds
    costs = recording_cost.measure(3 * rounds)
    rows = [*recording_cost.rows(costs), *recording.rows(rounds), *experts.rows(rounds)]
    rows += [*memory.rows(), *thermodynamics.rows(rounds), *four_scripts.rows()]
    rows += [
        *scale.rows(rounds),
        *scale_memory.rows(),
        *lab_data.rows(),
        *lab_data.grammar_rows(),
        *lab_data.reasoning_rows(),
    ]
    if given.write:
        write(rows, rounds, given.write)
        recording_cost.write(costs, 3 * rounds, given.write.with_name("recording.yaml"))
    print(f"\nSmolLM2-135M, float32, CPU, {torch.get_num_threads()} threads, median of {rounds} alternating rounds\n")
    print(table(rows))
    print("\nCost of recording against the bare pass:\n")
    print(recording_cost.table(costs))


if __name__ == "__main__":
    main()
