"""All commands: their arguments, and what happens with their answers. A command is imported when it is asked for."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from internal_physics.cli import answer, run
from internal_physics.exports import __version__
from internal_physics.ground.errors import UserError

USER_ERROR = 2  # exit status, as of wrong arguments
COMMANDS = ("look", "compare", "show", "doctor", "new")  # modules with HELP, add_arguments and answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say.

    Returns:
        The exit status: of a command that answers, 0, or 1 where it found something wrong, or 2 for a mistake of the
        user; of `run`, see there.
    """
    parser = parser_of_all()
    given, further = parser.parse_known_args(arguments)
    if further and given.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    try:
        if given.command == "run":
            return run.run_in(*run.folder_and_config(given.places), given.cores, further, as_json=given.json)
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
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        own = _add(commands, name, module_of(name))
        own.add_argument("--json", action="store_true", help="write JSON; a missing number is null, with a status")
    _add(commands, "run", run)
    return parser


def _add(commands: Any, name: str, module: Any) -> argparse.ArgumentParser:
    """The parser of one command, with its own arguments."""
    own = commands.add_parser(
        name,
        help=module.HELP,
        description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
        epilog=getattr(module, "EPILOG", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(own)
    return own
