"""The rules of residual gain under a real Snakemake: equal on one core and two, stale exactly where they should be."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.records.info import TraceInfo
from internal_physics.records.store import write_trace
from internal_physics.records.trace import Key, Trace
from internal_physics.tables.write import write_table

ROOT = Path(__file__).parents[2]
MODELS = ("a", "b-c")
KINDS = ("factual", "syntactic", "nonsense", "factual", "syntactic", "nonsense")
RULES = ("metric", "gains", "hypotheses", "residual_gain_result")
TARGETS = (
    "results/tables/gains.csv",
    "results/tables/hypotheses.csv",
    *(f"results/residual_gain/{m}.json" for m in MODELS),
)


def write_config(folder, kinds=KINDS, **options):
    prompts = [{"name": f"p{i}", "text": f"text {i}", "kind": kind} for i, kind in enumerate(kinds)]
    config = {
        "models": {model: {"source": f"path:none/{model}"} for model in MODELS},
        "prompt_sets": {"s": {"prompts": prompts}},
        "statistics": {"n_resamples": 99},
        **options,
    }
    for model in MODELS:
        (folder / "none" / model).mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    write_prompts_read(folder, prompts)


def write_prompts_read(folder, prompts):
    """The table that rule run_tables would make: it reads snapshots, which these made-up models do not have."""
    rows = [
        {"model": model, "prompt_set": "s", "prompt": prompt["name"], "text": prompt["text"], "kind": prompt["kind"]}
        for model in MODELS
        for prompt in prompts
    ]
    given = {"difficulty": None, "answer": None, "n_tokens": 3, "tokens": "x|x|x", "status": "ok"}
    given |= {"target": "loss", "target_token": None}
    paths = {kind: folder / f"results/tables/prompts_read.{kind}" for kind in ("csv", "parquet")}
    write_table(pd.DataFrame(rows).assign(**given), PROMPTS_READ, **paths)


def write_records(folder):
    rng = np.random.default_rng(0)
    for model in MODELS:
        for i in range(len(KINDS)):
            tensors = {Key("residual", layer, "activation"): rng.uniform(1, 2, (3, 4)) for layer in range(4)}
            tensors[Key("logits", 3, "entropy_nats")] = np.float64(rng.uniform(0, 3))
            tensors[Key("logits", 3, "top_ids")] = np.array([1.0, 0.0])
            tensors[Key("logits", 3, "top_log_probabilities")] = np.log([0.7, 0.2])
            labels = {"model": model, "condition": "baseline", "prompt_set": "s"}
            info = TraceInfo(f"p{i}", "", (1, 2, 3), ("x",) * 3, 1.0, 3, 4, "causal", "none", 2, (), labels, ("é", "b"))
            write_trace(Trace(info, tensors), folder / record_path(model, i))
        digests = {record_path(model, i): (folder / record_path(model, i)).read_bytes() for i in range(len(KINDS))}
        lines = [f"{sha256(content).hexdigest()}  {path}\n" for path, content in digests.items()]
        listing = folder / f"results/records/{model}/baseline/s.part0.sha256"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("".join(lines))


def record_path(model, i):
    return f"results/tensors/{model}/baseline/s/p{i}.parquet"


def snakemake(folder, *arguments, targets=TARGETS):
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "--configfile", "config.yaml", *arguments]
    command += ["--profile", "none", "--workflow-profile", "none", "--allowed-rules", *RULES, "--", *targets]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folders = {}
    for cores in ("1", "2"):
        folders[cores] = tmp_path_factory.mktemp(f"cores{cores}")
        write_config(folders[cores])
        write_records(folders[cores])
        snakemake(folders[cores], "--cores", cores)
    return folders


def test_one_core_and_two_give_equal_bytes(finished):
    for target in TARGETS:
        assert (finished["1"] / target).read_bytes() == (finished["2"] / target).read_bytes()


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in snakemake(finished["1"], "--cores", "1", "--dry-run")


def test_editing_a_kind_reruns_the_tables_and_no_metric(finished):
    write_config(finished["1"], kinds=("ambiguous", *KINDS[1:]))
    plan = snakemake(finished["1"], "--cores", "1", "--dry-run", "--quiet", "rules")
    write_config(finished["1"])
    jobs = {line.split()[0] for line in plan.splitlines() if line.split()[1:] and line.split()[-1].isdigit()}
    assert jobs - {"total"} == {"gains", "hypotheses", "residual_gain_result"}


def test_the_rules_are_off_when_not_asked_for(finished):
    write_config(finished["2"], metrics=["ec"])
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "--configfile", "config.yaml"]
    command += ["--profile", "none", "--workflow-profile", "none", "--cores", "1", "--dry-run", "--forceall"]
    done = subprocess.run(command, cwd=finished["2"], capture_output=True, text=True, check=False)
    write_config(finished["2"])
    assert done.returncode == 0, done.stderr
    assert "residual_gain" not in done.stdout
    assert "hypotheses" not in done.stdout
