"""Check a GPU: `make gpu-check`. Its numbers against the CPU's, its speed, tests/gpu, and the default config on it.

Everything is printed, and written to docs/measured/gpu.json, from which docs/performance.md takes its tables. A part
that fails is reported, and the others run.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks import subjects
from benchmarks.gpu import large, numbers, speed, workflow

MEASURED = subjects.ROOT / "docs" / "measured" / "gpu.json"
PARTS = ("speed", "beside_the_cpu", "large", "numbers", "tests", "workflow")


def machine() -> dict[str, Any]:
    """The card and the versions that a measurement belongs to."""
    card = torch.cuda.get_device_properties(0)
    return {
        "date": datetime.date.today().isoformat(),
        "card": card.name,
        "memory_bytes": card.total_memory,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def compared(snapshot: Path) -> list[list[str]]:
    """Numbers of the GPU beside the CPU's; the head first."""
    return [
        ["what", "tolerance", "difference", "held"],
        *([r.what, r.bar, r.measured, _yes(r.held)] for r in numbers.rows(snapshot)),
    ]


def tested() -> list[list[str]]:
    """What pytest says of tests/gpu but its runs of the workflow; the head first."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/gpu/test_gpu.py",
        "tests/gpu/test_experts.py",
    ]
    done = subprocess.run(command, cwd=subjects.ROOT, capture_output=True, text=True, check=False)
    print(done.stdout[-3000:])
    return [["tests/gpu", "held"], [done.stdout.strip().splitlines()[-1], _yes(done.returncode == 0)]]


def ran(snapshot: Path, log: Path) -> list[list[str]]:
    """What the default config took in bfloat16 and NF4; the head first."""
    with tempfile.TemporaryDirectory() as folder:
        return workflow.run(workflow.prepare(snapshot, Path(folder)), log)


def of_a_large_model(snapshot: Path) -> list[list[str]]:
    """What a model of eight billion weights takes; the head first."""
    with tempfile.TemporaryDirectory() as folder:
        return large.table(snapshot, Path(folder))


def _yes(held: bool) -> str:
    return "yes" if held else "no"


def _text(rows: list[list[str]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> None:
    """Run the parts that were asked for, and end with 1 if one failed or a tolerance was not held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", type=Path, help="folder of a snapshot; by default the model of config.yaml")
    arguments.add_argument("--called", default="SmolLM2-135M", help="what the report calls the model")
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts of the check")
    arguments.add_argument("--write", type=Path, default=MEASURED, help="where the report is kept")
    arguments.add_argument("--log", type=Path, default=Path("gpu_check.log"), help="what the workflow says")
    given = arguments.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch sees no GPU (torch.cuda.is_available() is False)")
    snapshot = given.model or subjects.snapshot()
    parts: dict[str, Callable[[], list[list[str]]]] = {
        "numbers": lambda: compared(snapshot),
        "speed": lambda: speed.table(snapshot),
        "beside_the_cpu": lambda: list(speed.beside_the_cpu(snapshot)),
        "large": lambda: of_a_large_model(snapshot),
        "tests": tested,
        "workflow": lambda: ran(snapshot, given.log),
    }
    before = json.loads(given.write.read_text(encoding="utf-8")) if given.write.exists() else {}
    report = {**before, **machine(), "model": given.called, "notes": ""}
    failed = [name for name in given.only if not _done(report, name, parts[name], given.write)]
    sys.exit(f"not held, or failed: {', '.join(failed)}" if failed else 0)


def _done(report: dict[str, Any], name: str, part: Callable[[], list[list[str]]], path: Path) -> bool:
    """Run one part, print it and add it to the report; whether all of it held."""
    print(f"\n{name}\n", flush=True)
    try:
        rows = part()
    except Exception:  # noqa: BLE001 - the other parts still run
        traceback.print_exc()
        return False
    print(_text(rows), flush=True)
    report[name] = rows
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return all(row[-1] != "no" for row in rows)


if __name__ == "__main__":
    main()
