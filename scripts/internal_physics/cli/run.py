"""Command `run`: check the config, show Snakemake's output, and end in one sentence after Ctrl-C."""

import argparse
import contextlib
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from internal_physics.cli.answer import Answer, write
from internal_physics.cli.deploy import deploy, is_deployed
from internal_physics.cli.last_words import FINDINGS, HEADING, INTERRUPTED, what_was_found
from internal_physics.cli.outcome import STATUS_OF_INTERRUPTION, STATUS_OF_REFUSAL, outcome
from internal_physics.ground.errors import ConfigError, UserError

HELP = "check a config, then run the workflow on it"
EPILOG = """\
DIR is a folder with the workflow: a clone, or one that this command filled
(default: this one). If it has none, the workflow is written into it first;
files that are there stay. CONFIG is a path from DIR (default: config.yaml).
Further options go to Snakemake, such as --dry-run. `internal-physics new DIR`
writes a config to start from."""
CONFIGS = (".yaml", ".yml", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("places", nargs="*", metavar="[DIR] [CONFIG]", help="a folder, and a config in it")
    parser.add_argument("--cores", default="all", help="how many cores to use (default: all)")
    parser.add_argument("--json", action="store_true", help="Snakemake's output to stderr; at the end, JSON to stdout")


def folder_and_config(places: Sequence[str]) -> tuple[str, str]:
    """The folder to run in, and the config, as a path from there: of `[DIR] [CONFIG]`, each of which may be left out.

    Raises:
        ConfigError: for more than two.
    """
    if len(places) > 2:
        raise ConfigError(f"found {len(places)} places", where="run", expected="[DIR] [CONFIG]")
    if len(places) == 1 and Path(places[0]).suffix in CONFIGS:
        return ".", places[0]
    return (places[0] if places else "."), (places[1] if len(places) == 2 else "config.yaml")


def run_in(folder: str, config: str, cores: str, further: Sequence[str] = (), *, as_json: bool = False) -> int:
    """Run a config in a folder; where it has no workflow yet, deploy it first.

    With `as_json`, what is said goes to the standard error, and how the run ended to the standard output.

    Returns:
        The exit status: Snakemake's, 1 for a config that is refused, 130 after Ctrl-C.

    Raises:
        UserError: if Snakemake is missing, or the folder cannot be written.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise ConfigError(
            "Snakemake is not installed", where="run", todo="pip install 'internal-physics[workflow]', then run again"
        )
    said: list[str] = []
    say = _print_and_keep(said) if as_json else _print
    if not is_deployed(folder):
        say(f"Deployed the workflow into {Path(folder).resolve()}: {deploy(folder)} files.\n")
    with contextlib.chdir(folder):
        refusal = refusal_of(config)
        status = run_checked(config, cores, further, say) if not refusal else _refused(refusal, say)
        if as_json:
            write(Answer(outcome(status, "".join(said), config, refusal), []), sys.stdout, as_json=True)
    return status


def run_checked(config: str, cores: str, further: Sequence[str], say: Callable[[str], None]) -> int:
    """Run a config that was not refused, in the working directory.

    Args:
        config: its path.
        cores: a number, or all.
        further: options for Snakemake.
        say: called with each piece of output.

    Returns:
        The exit status: Snakemake's, or 130 after Ctrl-C.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", cores, f"--configfile={config}", *further]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as snakemake:
        assert snakemake.stdout is not None
        has_findings = False
        try:
            for line in snakemake.stdout:
                say(line)
                has_findings |= line.startswith(HEADING)
        except KeyboardInterrupt:
            _end(snakemake)
            say(INTERRUPTED)
            return STATUS_OF_INTERRUPTION
    if not snakemake.returncode and not has_findings:  # there was nothing to do
        say(what_was_found(FINDINGS))
    return snakemake.returncode


def refusal_of(config: str) -> str:
    """Why a config cannot run; "" if nothing is wrong with it."""
    try:
        check(config)
    except UserError as error:
        return str(error)
    return ""


def _refused(refusal: str, say: Callable[[str], None]) -> int:
    say(f"{refusal}\n")
    return STATUS_OF_REFUSAL


def check(config: str) -> None:
    """Refuse a config that cannot run, before any job starts.

    Raises:
        UserError: with file and line of a YAML error, or the place in the config.
    """
    from internal_physics.config.load import load_config  # noqa: PLC0415
    from internal_physics.ground.strict_yaml import load_yaml  # noqa: PLC0415
    from internal_physics.plan.lab_requirements import refuse_impossible_arms  # noqa: PLC0415
    from internal_physics.plan.requirements import (  # noqa: PLC0415
        refuse_missing_models,
        refuse_unmet_requirements,
        refuse_unusable_python,
    )

    refuse_unusable_python(sys.executable)
    if not Path(config).is_file():
        raise ConfigError("there is no such file", where=config, todo="check the path; config.yaml is the default")
    checked = load_config(load_yaml(config), config)
    refuse_unmet_requirements(checked, config)
    refuse_impossible_arms(checked.arms, config)
    refuse_missing_models(checked, config, "results/snapshots")


def _end(process: subprocess.Popen) -> None:
    """Let Snakemake, which got the same signal, end its jobs; its output about that is not shown."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.communicate()
    finally:
        signal.signal(signal.SIGINT, previous)


def _print_and_keep(said: list[str]) -> Callable[[str], None]:
    def say(text: str) -> None:
        said.append(text)
        sys.stderr.write(text)
        sys.stderr.flush()

    return say


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
