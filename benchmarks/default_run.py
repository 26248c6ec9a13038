"""Run three configs in fresh clones, and note what they took for the docs: `make measure`.

They are the default, the quick and the tiny one. The clones are of the committed state; installing is not timed.
README and docs take their numbers from MEASURED and FINDINGS.
"""

import datetime
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml
from internal_physics.config.provenance import processor_name

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "docs" / "measured" / "default_run.yaml"
FINDINGS = MEASURED.with_name("findings.json")
HEAD = "# Written by `make measure`: config.yaml in a fresh clone. Do not edit.\n"


def main() -> None:
    """Measure in temporary clones, which are removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        quick_wall, quick_said = _run(_clone(Path(folder) / "quick"), "--configfile", "config/quick.yaml")
        clone = _clone(Path(folder) / "clone")
        wall, said = _run(clone)
        facts = {"date": datetime.date.today().isoformat(), "machine": machine()}
        facts |= {"wall_seconds": round(wall), "jobs": _jobs(said)} | _sizes(clone / "results")
        facts["findings"] = findings(clone / "results" / "tables")
        keep_findings(clone / "results", FINDINGS)
        subprocess.run([".venv/bin/python", "tests/tiny_models.py"], cwd=clone, check=True)
        facts |= {"quick_run_seconds": round(quick_wall), "quick_jobs": _jobs(quick_said)}
        facts["tiny_run_seconds"] = round(_run(clone, "--configfile", "config/tiny.yaml")[0])
    text = HEAD + yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    MEASURED.write_text(text, encoding="utf-8")
    print(text)


def _clone(folder: Path) -> Path:
    """A clone of the committed state, with this environment."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def _run(clone: Path, *arguments: str) -> tuple[float, str]:
    """Seconds of a run, and all that Snakemake said."""
    start = time.perf_counter()
    done = subprocess.run(
        [".venv/bin/snakemake", "--cores", "all", *arguments],
        cwd=clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, done.stdout


def findings(tables: Path) -> dict[str, Any]:
    """The results that README and docs quote, rounded as they quote them.

    Args:
        tables: results/tables of a finished default run.
    """
    comparisons = pd.read_parquet(tables / "comparisons.parquet")
    last = comparisons["layer"] == comparisons["layer"].max()
    at_the_end = comparisons[last & (comparisons["measure"] == "difference")]
    hypotheses = pd.read_parquet(tables / "hypotheses.parquet")
    (gain,) = hypotheses[
        (hypotheses["model"] == "smollm2-fp32")
        & (hypotheses["condition"] == "baseline")
        & (hypotheses["prompt_set"] == "all sets")
        & (hypotheses["variant"] == "last_position")
        & (hypotheses["statistic"] == "pearson_r")
        & (hypotheses["hypothesis"] == "entropy_gain")
    ].to_dict("records")
    found: dict[str, Any] = {}
    for word in ("happy", "sad"):
        chosen = (at_the_end["condition"] == word) & (at_the_end["token"] == f" {word}")
        (row,) = at_the_end[chosen].to_dict("records")
        found |= {f"{word}_{name}": float(f"{row[name]:.2g}") for name in ("baseline", "steered")}
    return found | {
        "gain_r": round(gain["value"], 2),
        "gain_p_adjusted": float(f"{gain['p_adjusted']:.1g}"),
        "gain_prompts": int(gain["n"]),
    }


def keep_findings(results: Path, kept: Path) -> None:
    """Keep the sentences that a finished run found, for README.

    Args:
        results: its folder `results`.
        kept: where its findings.json is copied to.
    """
    shutil.copyfile(results / "findings.json", kept)


def machine() -> str:
    """What the numbers were measured on."""
    cores, memory_gb = psutil.cpu_count(), round(psutil.virtual_memory().total / 1e9)
    hardware = f"{cores} cores of {processor_name()} without a GPU, {memory_gb} GB of memory"
    return f"{hardware}, Python {platform.python_version()}"


def _jobs(said: str) -> int:
    """Jobs of a run, as Snakemake counts them before it starts."""
    (total,) = re.findall(r"^total\s+(\d+)$", said, re.MULTILINE)[:1]
    return int(total)


def _sizes(results: Path) -> dict[str, int]:
    benchmarks = [pd.read_csv(path, sep="\t") for path in (results / "benchmarks").rglob("*.tsv")]
    return {
        "figures": len(list((results / "figures").glob("*.png"))),
        "results_bytes": _size(results),
        "records_bytes": _size(results / "tensors"),
        "snapshots_bytes": _size(results / "snapshots"),
        "report_bytes": (results / "report.html").stat().st_size,
        "peak_memory_bytes": int(max(table["max_rss"].max() for table in benchmarks) * 1e6),
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
