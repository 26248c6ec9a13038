"""How a run ended, as data: what `internal-physics run --json` writes."""

import json
import re
from pathlib import Path
from typing import Any

from internal_physics.cli.last_words import FINDINGS, REPORT

STATUS_OF_REFUSAL = 1
STATUS_OF_INTERRUPTION = 130  # as shells report SIGINT
_FAILED = re.compile(r"^Failed: (?P<message>.*?)\n  log: (?P<log>[^\n]*)", re.DOTALL | re.MULTILINE)


def outcome(status: int, said: str, config: str, refusal: str = "") -> dict[str, Any]:
    """Whether a run finished, and what it found or why it ended.

    Args:
        status: its exit status.
        said: all of its output.
        config: path of the config.
        refusal: why the config was refused; empty if it was not.

    Returns:
        config, exit_status, outcome (finished, failed, refused or interrupted), message (of a refusal, else empty),
        failures (message and log of every different one), findings (those of the folder, if the run finished), report
        (its path, or null).
    """
    endings = {0: "finished", STATUS_OF_INTERRUPTION: "interrupted"}
    ended = "refused" if refusal else endings.get(status, "failed")
    is_finished = ended == "finished"
    return {
        "config": config,
        "exit_status": status,
        "outcome": ended,
        "message": refusal,
        "failures": [found.groupdict() for found in _FAILED.finditer(said)],
        "findings": _findings() if is_finished else [],
        "report": REPORT if is_finished and Path(REPORT).is_file() else None,
    }


def _findings() -> list[dict[str, Any]]:
    return json.loads(Path(FINDINGS).read_text(encoding="utf-8")) if Path(FINDINGS).is_file() else []
