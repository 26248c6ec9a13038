"""Claims of a finished run of the lab, and what moved while models learned -> docs/measured/lab.yaml, for the pages.

python -m benchmarks.lab_claims --write docs/measured/lab.yaml
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from internal_physics.cli.last_words import CLAIMS
from internal_physics.lab.physics.seen import seen
from internal_physics.lab.physics.tables import LAB_PHYSICS
from internal_physics.lab.verdicts import number_in_words, read_claims, spread_in_words
from internal_physics.tables.read import read_table

PHYSICS = Path("results/lab/tables/lab_physics.parquet")


def measured(claims: list[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """Experiment -> rows of a table: claim, value, spread over seeds, bar, verdict."""
    found: dict[str, list[dict[str, str]]] = {}
    for claim in claims:
        unit = "" if claim["unit"] == "1" else f" {claim['unit']}"
        row = {
            "claim, at this scale": claim["claim"],
            "measured": f"{number_in_words(claim['value'])}{unit}",
            "smallest to largest seed": spread_in_words(claim),
            "bar": claim["bar"],
            "verdict": claim["verdict"] + ("" if claim["is_hard"] or claim["bar"] == "none" else " (need not hold)"),
        }
        found.setdefault(claim["experiment"], []).append(row)
    return found


def moved(physics: Path) -> list[dict[str, str]]:
    """Rows of a table: quantity, texts, when it changes most in each training, and in how many with what is known."""
    said = seen(read_table(physics, LAB_PHYSICS))
    return [
        {
            "quantity": row["quantity"],
            "texts": row["texts"],
            **{name: _when(cell) for name, cell in zip(said["trainings"], row["cells"], strict=True)},
            "with what is known": "" if row["is_learned"] else f"{row['n_with']} of {row['n']}",
        }
        for row in said["rows"]
    ]


def _when(cell: dict[str, str]) -> str:
    return f"{cell['between']} ({cell['from_to']}) {cell['when']}".strip()


def main() -> None:
    """Read the claims of the run in this folder, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", default=CLAIMS, help="table lab_gates of a run, as CSV")
    parser.add_argument("--physics", default=PHYSICS, type=Path, help="table lab_physics of a run, as Parquet")
    parser.add_argument("--write", required=True, type=Path, help="the YAML file")
    given = parser.parse_args()
    found = measured(read_claims(given.claims)) | {"physics": moved(given.physics)}
    text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=200)
    given.write.write_text(
        f"# Written by benchmarks/lab_claims.py from a run of config/lab.yaml.\n{text}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
