"""Command `run`: check the config, show Snakemake's output, and end in one sentence after Ctrl-C."""

import argparse
import contextlib
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from internal_physics.cli.answer import Answer, write
from internal_physics.cli.deploy import before_deployment, deploy, is_deployed, missing
from internal_physics.cli.last_words import FINDINGS, HEADING, INTERRUPTED, what_was_found
from internal_physics.cli.outcome import STATUS_OF_INTERRUPTION, STATUS_OF_REFUSAL, outcome
from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.ground.words import plural

HELP = "check a config, then run the workflow on it"
EPILOG = """\
DIR is a folder with the workflow: a clone, or one that this command filled
(default: this one). If it has no workflow, the workflow is written into it
first, if CONFIG is there or comes with it; files that are there stay. CONFIG
is a path from DIR (default: config.yaml). Further options go to Snakemake,
such as --dry-run. `internal-physics new DIR` writes a config to start from."""
CONFIGS = (".yaml", ".yml", ".json")
DRY = {"--dry-run", "--dryrun", "-n"}  # of Snakemake: nothing is written


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
    refusal = ""
    if not is_deployed(folder):
        refusal = refusal_of(lambda: read_config(before_deployment(folder, config), str(Path(folder, config))))
        if not refusal:
            deploy_for(config, folder, say)
    with contextlib.chdir("." if refusal else folder):
        refusal = refusal or refusal_of(lambda: check(config, writes=not DRY & set(further)))
        status = run_checked(config, cores, further, say) if not refusal else _refused(refusal, say)
        if as_json:
            write(Answer(outcome(status, "".join(said), config, refusal), []), sys.stdout, as_json=True)
    return status


def deploy_for(config: str, folder: str, say: Callable[[str], None]) -> None:
    """Write the workflow into a folder that has none, and say so before and after.

    Args:
        config: path from the folder; a file there, or one that the workflow brings.
        folder: need not exist.
        say: called with each piece of output.

    Raises:
        StoreError: if the folder cannot be written.
    """
    place = Path(folder).resolve()
    has = "has no workflow" if place.is_dir() else "does not exist"
    brought = "" if Path(folder, config).is_file() else f", with its own {config}"
    say(f"{place} {has}: {plural(len(missing(folder)), 'file')} of the workflow are written into it{brought}.\n")
    say(f"Deployed the workflow into {place}: {plural(deploy(folder), 'file')}.\n")


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


def refusal_of(step: Callable[[], object]) -> str:
    """Why a step before the run was refused; "" if it was not."""
    try:
        step()
    except UserError as error:
        return str(error)
    return ""


def _refused(refusal: str, say: Callable[[str], None]) -> int:
    say(f"{refusal}\n")
    return STATUS_OF_REFUSAL


def check(config: str, *, writes: bool = True) -> None:
    """Refuse a config that cannot run, before any job starts.

    Args:
        config: its path.
        writes: whether the run will write its results.

    Raises:
        UserError: with file and line of a YAML error, or the place in the config.
    """
    from internal_physics.config.load import load_config  # noqa: PLC0415
    from internal_physics.plan.refusals import refuse_what_cannot_run  # noqa: PLC0415
    from internal_physics.plan.requirements import refuse_read_only, refuse_unusable_python  # noqa: PLC0415

    refuse_unusable_python(sys.executable)
    checked = load_config(read_config(Path(config), config), config)
    refuse_what_cannot_run(checked, config)
    if writes:
        refuse_read_only(".", "results")


def read_config(path: Path, name: str) -> Any:
    """The content of a config.

    Args:
        path: where it is.
        name: what it is called in messages.

    Raises:
        ConfigError: if there is no such file, or it is not YAML, with file and line.
    """
    if not path.is_file():
        raise ConfigError(
            "there is no such file",
            where=name,
            expected="a config; CONFIG is a path from DIR, and config.yaml is the default",
            todo="check both paths",
        )
    from internal_physics.ground.strict_yaml import load_yaml  # noqa: PLC0415

    return load_yaml(path)


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
