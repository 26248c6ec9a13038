"""The default config on a GPU, in bfloat16 and NF4, in a copy of the working tree."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from benchmarks.subjects import ROOT

TREE = ("Snakefile", "config.yaml", "config", "envs", "profiles", "report", "resources", "rules", "scripts")
MODELS = {"smollm2-bf16": {"dtype": "bfloat16"}, "smollm2-nf4": {"dtype": "bfloat16", "quantization": "nf4"}}
CONFIG = "config/gpu_check.yaml"


def prepare(snapshot: Path, folder: Path) -> Path:
    """Copy the tree, and write the default config with the models of this check.

    Returns:
        The copy.
    """
    tree = folder / "tree"
    tree.mkdir()
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tree / name)
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["models"] = {
        name: {"source": f"path:{snapshot.resolve()}", "device": "cuda", **given} for name, given in MODELS.items()
    }
    for condition in config["conditions"].values():
        condition["models"] = ["smollm2-bf16"]
    (tree / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return tree


def run(tree: Path, log: Path) -> list[list[str]]:
    """Run the workflow, and say what it took; the head first.

    Raises:
        RuntimeError: if it fails; `log` holds what it said.
    """
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "snakemake", "--cores", "all", "--configfile", CONFIG]
        done = subprocess.run(command, cwd=tree, stdout=file, stderr=subprocess.STDOUT, check=False)
    seconds = time.perf_counter() - start
    said = log.read_text(encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"the workflow failed; the end of {log}:\n{said[-2000:]}")
    jobs = re.search(r"^total\s+(\d+)$", said, re.MULTILINE)
    logs = [path.read_text(encoding="utf-8") for path in (tree / "results/logs/record").rglob("*.log")]
    return [
        ["what", "measured"],
        ["time", f"{seconds:.0f} s"],
        ["jobs", jobs.group(1) if jobs else ""],
        ["record jobs on the GPU", f"{sum('on cuda' in text for text in logs)} of {len(logs)}"],
        ["figures", str(len(list((tree / "results/figures").glob("*.png"))))],
        ["report", f"{(tree / 'results/report.html').stat().st_size / 1e6:.0f} MB"],
    ]
