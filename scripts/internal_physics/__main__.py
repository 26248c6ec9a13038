"""The command line: `python -m internal_physics run my.yaml`."""

import argparse
import sys
from collections.abc import Sequence

from internal_physics.cli.run import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="internal_physics", description="Run the workflow on a config.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    of_run = verbs.add_parser("run", help="check a config, then run it", epilog="Further options go to Snakemake.")
    of_run.add_argument("config", nargs="?", default="config.yaml", help="a run config (default: config.yaml)")
    of_run.add_argument("--cores", default="all", help="how many cores to use (default: all)")
    given, further = parser.parse_known_args(arguments)
    return run(given.config, given.cores, further)


if __name__ == "__main__":
    sys.exit(main())
