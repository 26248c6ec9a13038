"""Command `run`: check the config, show Snakemake's output, and end in one sentence after Ctrl-C."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from internal_physics.cli.last_words import FINDINGS, HEADING, INTERRUPTED, what_was_found
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.plan.requirements import refuse_missing_models, refuse_unmet_requirements

STATUS_OF_INTERRUPTION = 130  # as shells report SIGINT


def run(config: str, cores: str, further: Sequence[str] = (), say: Callable[[str], None] | None = None) -> int:
    """Run a config in the working directory.

    Args:
        config: its path.
        cores: a number, or all.
        further: options for Snakemake.
        say: called with each piece of output; by default, writes it to the standard output.

    Returns:
        The exit status: Snakemake's, 1 for a config that is refused, 130 after Ctrl-C.
    """
    say = say or _print
    try:
        check(config)
    except UserError as error:
        say(f"{error}\n")
        return 1
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


def check(config: str) -> None:
    """Refuse a config that cannot run, before any job starts.

    Raises:
        UserError: with file and line of a YAML error, or the place in the config.
    """
    if not Path(config).is_file():
        raise ConfigError("there is no such file", where=config, todo="check the path; config.yaml is the default")
    checked = load_config(load_yaml(config), config)
    refuse_unmet_requirements(checked, config)
    refuse_missing_models(checked, config, "results/snapshots")


def _end(process: subprocess.Popen) -> None:
    """Let Snakemake, which got the same signal, end its jobs; its output about that is not shown."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.communicate()
    finally:
        signal.signal(signal.SIGINT, previous)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
