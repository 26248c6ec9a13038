"""Snakemake whose jobs run in its own process, one after the other: for tests that run many configs.

Snakemake starts a new Python for every job, which on tiny models costs far more than the job. Here rules, scripts,
inputs, outputs, logs and exit statuses are the same; only the start is left out. Nothing is forked, so no lock of a
thread can be inherited. After a limit, the program says where every thread is and ends.

    python tests/support/one_process.py LIMIT_S --cores 1 --configfile a.yaml --then --cores 1 --configfile b.yaml
"""

import faulthandler
import gc
import os
import runpy
import subprocess
import sys
import threading

from snakemake.benchmark import benchmarked
from snakemake.cli import main
from snakemake.script import PythonScript

THEN = "--then"  # between two commands
ONE_AT_A_TIME = threading.Lock()


def run_script(script: PythonScript, path: str, edit: bool = False) -> None:
    """What `PythonScript.execute_script` does, without a new Python.

    Raises:
        subprocess.CalledProcessError: for a script that ends with an exit status, as a job of its own would.
    """
    searched = list(sys.path)
    with ONE_AT_A_TIME, benchmarked(os.getpid(), script.bench_record):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise subprocess.CalledProcessError(1, path) from None
        finally:
            sys.path[:] = searched  # each script starts by adding all of it once more


def status_of(command: list[str]) -> int:
    """The exit status of Snakemake with these arguments."""
    try:
        main(command)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def commands(arguments: list[str]) -> list[list[str]]:
    """Arguments of each command."""
    found: list[list[str]] = [[]]
    for argument in arguments:
        found[-1].append(argument) if argument != THEN else found.append([])
    return found


if __name__ == "__main__":
    faulthandler.dump_traceback_later(float(sys.argv[1]), exit=True)
    PythonScript.execute_script = run_script
    gc.set_threshold(10_000, 20, 100)  # libraries and figures are many objects, which are looked through less often
    for command in commands(sys.argv[2:]):
        if status := status_of(command):
            sys.exit(status)
