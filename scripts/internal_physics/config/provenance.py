"""What made a run: resolved config, versions, git revision, seed and machine; results/run.yaml replays it."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import yaml

from internal_physics.ground.files import write_text


def provenance(repository: str | Path) -> dict[str, Any]:
    """Versions of every installed package, revision of the workflow and a description of the machine.

    No host name, user name or environment variable is taken.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": git_revision(repository),
        "python": platform.python_version(),
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processor": processor_name(),
            "processors": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        },
        "versions": _versions(),
    }


def processor_name(listed: str | Path = "/proc/cpuinfo") -> str:
    """The kind of CPU, on which the last bits of sums depend; its architecture where the system lists no name.

    Args:
        listed: where Linux lists them.
    """
    try:
        text = Path(listed).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    return re.sub(r"\(R\)|\(TM\)| Processor", "", found[1]).strip() if found else platform.machine()


def _versions() -> dict[str, str]:
    """Package -> version; remains of a broken installation have no name and are skipped."""
    named = [(d.metadata["Name"], d.version) for d in distributions()]
    return dict(sorted((name.lower(), version) for name, version in named if name))


def git_revision(repository: str | Path) -> str:
    """The commit, with "+changes" where the working tree differs; "unknown" outside a git checkout."""
    commit = _git(repository, "rev-parse", "HEAD")
    if commit is None:
        return "unknown"
    return commit + ("+changes" if _git(repository, "status", "--porcelain", "--untracked-files=no") else "")


def write_run(config: Mapping[str, Any], made_by: Mapping[str, Any], path: str | Path) -> None:
    """Write the run file: a config that Snakemake can replay, with `provenance` beside it."""
    head = "# Written by the workflow. Replay this run with: snakemake --cores all --configfile results/run.yaml\n"
    body = yaml.safe_dump({**config, "provenance": dict(made_by)}, sort_keys=False, allow_unicode=True, width=120)
    write_text(path, head + body)


def _git(repository: str | Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
