"""Command `doctor`: what works on this machine, and what to do about the rest."""

import argparse

from internal_physics.cli.answer import Answer
from internal_physics.cli.layout import Block, Heading, Text

HELP = "check Python, packages, GPU, memory, disk, network and cluster of this machine"
EPILOG = """\
The exit status is 1 if something that every run needs is missing, otherwise 0."""
_SIGNS = {"ok": "✓", "note": "·", "problem": "✗"}
_TONES = {"ok": "good", "note": "", "problem": "bad"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--offline", action="store_true", help="do not ask the model hub")


def answer(given: argparse.Namespace) -> Answer:
    """Make all checks."""
    from internal_physics.api.doctor import PROBLEM, checks  # noqa: PLC0415

    found = [check.to_dict() for check in checks(ask_hub=not given.offline)]
    n_problems = sum(check["status"] == PROBLEM for check in found)
    said: list[Block] = [Heading("This machine", "✓ works   · not needed by every run   ✗ has to be fixed")]
    for check in found:
        sign, tone = _SIGNS[check["status"]], _TONES[check["status"]]
        said.append(Text(f"{sign} {check['name']}: {check['found']}", tone, hanging=4))
        said += [Text(f"    {check['todo']}", hanging=4)] if check["todo"] else []
    end = "Everything that a run needs is here." if not n_problems else f"To be fixed: {n_problems}."
    return Answer({"checks": found, "problems": n_problems}, [*said, Heading(end)], status=int(n_problems > 0))
