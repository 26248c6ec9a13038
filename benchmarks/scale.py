"""The last row of the table, and how it grows: planning a run of many models and prompts.

Planned with the real Snakefile. Nothing has to run for that: the finished run is one of empty files that Snakemake was
told to take for its own (`--touch`).
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.generate_scale import CONFIG, write_scale
from benchmarks.harness import Row, alternate, ratio
from benchmarks.subjects import ROOT

N_MODELS, FEW, MANY = 8, 1000, 2000
MOST_ROUNDS = 3


def rows(rounds: int) -> list[Row]:
    """Plan from nothing, with nothing to do, and after a change of one prompt."""
    with tempfile.TemporaryDirectory() as folder:
        plans = {n: Path(folder) / str(n) for n in (FEW, MANY)}
        default = default_config(Path(folder) / "default")
        for n, place in plans.items():
            write_scale(place, n_models=N_MODELS, n_prompts=n, weights=False)
        rounds = min(rounds, MOST_ROUNDS)
        anew = alternate({str(n): lambda p=place: snakemake(p, "--dry-run") for n, place in plans.items()}, rounds)
        for place in (default, *plans.values()):
            finish(place)
        finished = {place.name: lambda p=place: expect_nothing(p) for place in (default, *plans.values())}
        idle = alternate(finished, rounds)
        start = time.perf_counter()
        n_records = records_after_a_change(plans[FEW])
        changed = time.perf_counter() - start
    what = f"{N_MODELS} models × {FEW:,} prompts"
    return [
        _seconds("nothing to do, the default config: 0 jobs", 5, statistics.median(idle["default"])),
        _seconds(f"plan {what}", 15, statistics.median(anew[str(FEW)])),
        _growth("plan twice the prompts", ratio(anew[str(MANY)], anew[str(FEW)])),
        _seconds(f"nothing to do, {what}: 0 jobs", 15, statistics.median(idle[str(FEW)])),
        _growth("nothing to do, twice the prompts", ratio(idle[str(MANY)], idle[str(FEW)])),
        _seconds(f"plan after one changed prompt, {what}", 15, changed),
        Row(
            "record jobs after one changed prompt: one per model",
            f"{N_MODELS}",
            f"{n_records}",
            n_records == N_MODELS,
        ),
    ]


def default_config(folder: Path) -> Path:
    """A folder to plan the default config in."""
    folder.mkdir()
    shutil.copy(ROOT / "config.yaml", folder)
    (folder / "resources").symlink_to(ROOT / "resources")
    return folder


def snakemake(folder: Path, *arguments: str) -> str:
    """What Snakemake says, run in a folder with a generated config or a copy of the default one."""
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2", *arguments]
    command += ["--configfile", CONFIG] if (folder / CONFIG).exists() else []
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def finish(folder: Path) -> None:
    """Make every output as an empty file (or folder), and have Snakemake note each as its own job's."""
    for line in snakemake(folder, "--summary").splitlines():
        name = line.split("\t")[0]
        if name.startswith("results/"):
            path = folder / name
            is_folder = path.suffix == "" or path.parent.name == "snapshots"
            path.mkdir(parents=True, exist_ok=True) if is_folder else path.parent.mkdir(parents=True, exist_ok=True)
            if not is_folder:
                path.touch()
    snakemake(folder, "--touch", "--forceall")


def expect_nothing(folder: Path) -> None:
    """Run what is finished.

    Raises:
        RuntimeError: if there was something to do.
    """
    said = snakemake(folder)
    if "Nothing to be done" not in said:
        raise RuntimeError(f"a finished run was not finished:\n{said[-2000:]}")


def records_after_a_change(folder: Path) -> int:
    """How many record jobs Snakemake plans after the text of one prompt is another."""
    prompts = folder / "set_000.csv"
    lines = prompts.read_text(encoding="utf-8").splitlines(keepends=True)
    prompts.write_text("".join([*lines[:-1], lines[-1].rstrip() + "!\n"]), encoding="utf-8")
    return len(re.findall(r"^Job \d+: Recording ", snakemake(folder, "--dry-run"), flags=re.MULTILINE))


def _seconds(what: str, bar: float, measured: float) -> Row:
    return Row(what, f"≤ {bar:g} s", f"{measured:.1f} s", measured <= bar)


def _growth(what: str, measured: float) -> Row:
    return Row(what, "≤ 2.2×", f"{measured:.2f}×", measured <= 2.2)
