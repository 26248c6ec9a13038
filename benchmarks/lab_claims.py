"""Claims of a finished run of the lab -> docs/measured/lab.yaml, from which the pages of the lab quote.

python -m benchmarks.lab_claims --write docs/measured/lab.yaml
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from internal_physics.cli.last_words import CLAIMS
from internal_physics.lab.verdicts import number_in_words, read_claims, spread_in_words


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


def main() -> None:
    """Read the claims of the run in this folder, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", default=CLAIMS, help="table lab_gates of a run, as CSV")
    parser.add_argument("--write", required=True, type=Path, help="the YAML file")
    given = parser.parse_args()
    text = yaml.safe_dump(measured(read_claims(given.claims)), sort_keys=False, allow_unicode=True, width=200)
    given.write.write_text(
        f"# Written by benchmarks/lab_claims.py from a run of config/lab.yaml.\n{text}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
