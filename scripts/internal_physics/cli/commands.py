"""All commands: their arguments, and what happens with their answers. A command is imported when it is asked for."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from internal_physics.cli import answer, run
from internal_physics.ground.errors import UserError

USER_ERROR = 2  # exit status, as of wrong arguments
COMMANDS = ("look", "compare", "show")  # modules with HELP, add_arguments and answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say.

    Returns:
        The exit status: of a command that answers, 0, or 1 where it found something wrong, or 2 for a mistake of the
        user; of `run`, see there.
    """
    parser = parser_of_all()
    given, further = parser.parse_known_args(arguments)
    if given.command == "run":
        return run.run(given.config, given.cores, further)
    if further:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        found = module_of(given.command).answer(given)
        answer.write(found, sys.stdout, as_json=given.json)
        sys.stdout.flush()
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return USER_ERROR
    except BrokenPipeError:  # the reader, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return found.status


def module_of(command: str) -> Any:
    """The module of a command."""
    return importlib.import_module(f"internal_physics.cli.{command}")


def parser_of_all() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="internal-physics", description="The reproducible physics lab for language models.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = module_of(name)
        own = commands.add_parser(
            name,
            help=module.HELP,
            description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
            epilog=getattr(module, "EPILOG", ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(own)
        own.add_argument("--json", action="store_true", help="write JSON; a missing number is null, with a status")
    of_run = commands.add_parser("run", help="check a config, then run it", epilog="Further options go to Snakemake.")
    of_run.add_argument("config", nargs="?", default="config.yaml", help="a run config (default: config.yaml)")
    of_run.add_argument("--cores", default="all", help="how many cores to use (default: all)")
    return parser
