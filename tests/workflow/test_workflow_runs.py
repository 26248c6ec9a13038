"""Whole runs: complete, replayable to the byte, alike on any number of cores, and whole again after a kill."""

import hashlib
import os
import re
import resource
import signal
import subprocess
import time
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from internal_physics.config.load import load_config
from internal_physics.families.family import Per
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.records.store import read_trace
from rule_code import figures_label
from workflow_runs import (
    CONFIG,
    FIGURES,
    METRICS,
    MODELS,
    OF_RECORDS,
    PROMPTS,
    RECORDS,
    SCORES,
    SETS,
    TABLES,
    TOKEN,
    Refused,
    command,
    environment,
)

ONCE = ("collect", "normalize", "correlate", "gains", "hypotheses", "collect_thermodynamics", "collect_information")
ONCE += ("decided", "run_tables", "table:isf_spectra", "information_package", "check_tables", "provenance", "report")
ONCE += ("table:routing", "table:expert_loads", "model_pairs", "pulls", "collect_agreement", "findings", "explorer")
ONCE += ("collect_kernel",)
OF_EACH_MODEL = ("fetch", *RECORDS, *OF_RECORDS, "residual_gain_result", "spectra", "phases", "prompts_read")
# Float32 noise of other batches or threads, relative to the value. Seen: below 1e-6. ISF divides by a spread of
# eigenvalues, ISA and ISG are spreads themselves, which loses up to another digit.
NOISE = 1e-5
# The last eigenvalue is zero up to rounding, so it is compared with the largest one.
SPECTRUM_NOISE = 1e-6


def tables(tree):
    return {name: pd.read_parquet(tree.path(f"results/tables/{name}.parquet")) for name in TABLES}


def all_files(tree):
    return [path for path in tree.path("results").rglob("*") if path.is_file()]


class TestBaseRun:
    def test_every_rule_ran_as_often_as_it_should(self, base_run):
        _, done = base_run
        figures = {figures_label(name): 1 for per in Per for name in FIGURES[per]}
        assert done.jobs == Counter(dict.fromkeys(ONCE, 1) | dict.fromkeys(OF_EACH_MODEL, len(MODELS)) | figures)

    def test_every_promised_file_is_there(self, base):
        results = base.path("results")
        for name in TABLES:
            assert (results / f"tables/{name}.csv").stat().st_size > 0
        for kind in ("png", "svg"):
            names = {path.name for path in (results / "figures").glob(f"*.{kind}")}
            of_sets = (*FIGURES[Per.PROMPT_SET], *FIGURES[Per.COMPARED_SET])
            expected = {f"{f}-{s}" for f in of_sets for s in SETS} | set(FIGURES[Per.RUN])
            expected |= {f"{f}-{m}" for f in FIGURES[Per.MODEL] for m in MODELS}
            assert names == {f"{name}.{kind}" for name in expected}
            assert len(expected) > 30
        for name in ("report.html", "explorer.html", "run.yaml", "tables/checked.txt"):
            assert (results / name).stat().st_size > 0

    def test_every_pair_of_model_and_prompt_has_its_record(self, base):
        folder = base.path("results/tensors")
        found = {path.relative_to(folder).parts for path in folder.rglob("*.*")}
        assert found == {
            (model, "baseline", name, f"{prompt}.parquet")
            for model in MODELS
            for name, names in PROMPTS.items()
            for prompt in names
        }

    def test_records_carry_where_they_come_from(self, base):
        trace = read_trace(base.path("results/tensors/tiny-gpt2/baseline/words/short.parquet"))
        labels = trace.info.labels
        assert (labels["model"], labels["condition"], labels["prompt_set"]) == ("tiny-gpt2", "baseline", "words")
        assert labels["source"] == "path:results/tiny_models/gpt2"
        assert labels["dtype"] == "float32"
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", labels["revision"])
        assert trace.info.text == "the cat"
        assert trace.info.weight_gradients == "sketch"

    def test_every_record_has_the_checksum_that_it_is_listed_with(self, base):
        """Checksums are of the bytes as they are written; no job reads a record back for its own."""
        listings = list(base.path("results/records").rglob("*.sha256"))
        lines = [line.split("  ") for path in listings for line in path.read_text().splitlines()]
        assert len(lines) == len(MODELS) * sum(map(len, PROMPTS.values()))
        assert {hashlib.sha256(base.path(name).read_bytes()).hexdigest() == digest for digest, name in lines} == {True}

    def test_every_row_is_ok_or_says_why_not(self, base):
        found = tables(base)
        assert set(found["prompts"].status) == {"ok"}
        assert set(found["layers"].status) == {"ok"}
        counts = found["scores"].groupby("metric").size()
        assert set(counts[[*SCORES]]) == {len(MODELS) * len(SETS)}

    def test_every_job_left_a_log_and_a_benchmark(self, base_run):
        base, done = base_run
        logs, benchmarks = (self.names(base.path(f"results/{kind}")) for kind in ("logs", "benchmarks"))
        assert len(logs) == done.jobs.total() + len(["manifest"])
        assert benchmarks == {name for name in logs if not name.startswith("fetch/")}
        assert all("done" in base.path(f"results/logs/{name}.log").read_text() for name in logs)

    @staticmethod
    def names(folder):
        return {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.*")}

    def test_no_token_is_in_any_file(self, base):
        files = all_files(base) + [path for path in base.path(".snakemake").rglob("*") if path.is_file()]
        assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


class TestReplay:
    DRAWN = ("correlation_matrix", "model_differences")  # of two families with few figures
    OTHERS = ("results/explorer.html", "results/findings.json", *(f"results/figures/{name}.svg" for name in DRAWN))

    def test_the_run_file_gives_the_same_tables_to_the_byte_in_an_empty_folder(self, base, fresh, tmp_path):
        """Two cores and each job in a process of its own, against one process; whatever is drawn at random is seeded.

        Every log ends well; those of one process may end in Snakemake's own words.
        """
        tree = fresh.copy(tmp_path / "tree")
        tree.path("run.yaml").write_bytes(base.path("results/run.yaml").read_bytes())
        tables = [f"results/tables/{name}.csv" for name in TABLES]
        done = tree.run(*tables, *self.OTHERS, config="run.yaml")
        assert done.jobs["fetch"] == len(MODELS)
        for name in [*tables, *self.OTHERS]:
            assert tree.path(name).read_bytes() == base.path(name).read_bytes(), name
        logs = list(tree.path("results/logs").rglob("*.log"))
        assert len(logs) == done.jobs.total()
        assert [log for log in logs if not log.read_text().rstrip().endswith("done")] == []

    def test_one_core_and_one_prompt_at_a_time_change_float_noise_only(self, base, tmp_path):
        tree = base.copy(tmp_path / "tree")
        tree.append(CONFIG, "record: {batch_size: 1}")
        done = tree.run_in_one_process("results/tables/scores.csv")
        assert done.jobs["record_0_counting"] == len(MODELS)
        before, after = tables(base), tables(tree)
        for name in ("prompts", "layers", "scores"):
            numbers = [c for c, kind in before[name].dtypes.items() if kind == "float64" and not c.startswith("ci_")]
            words = [c for c in before[name] if c not in numbers and not c.startswith("ci_")]
            pd.testing.assert_frame_equal(before[name][words], after[name][words])
            np.testing.assert_allclose(after[name][numbers], before[name][numbers], rtol=NOISE)
        scale = before["isf_spectra"].eigenvalue.max()
        np.testing.assert_allclose(
            after["isf_spectra"].eigenvalue, before["isf_spectra"].eigenvalue, atol=SPECTRUM_NOISE * scale
        )


class TestKill:
    N_PROMPTS = 250
    FOLDER = "results/tensors/tiny-llama/baseline/many"

    def test_a_killed_run_starts_again_where_it_was(self, base, tmp_path):
        tree = base.copy(tmp_path / "tree")
        self.add_many_prompts(tree)
        finished = {path: path.stat().st_mtime_ns for path in tree.path("results/tensors").rglob("*.parquet")}
        self.kill_while_recording(tree)
        n_recorded = len(list(tree.path(self.FOLDER).glob("*.parquet")))
        assert 0 < n_recorded < self.N_PROMPTS
        tree.snakemake("--unlock")
        again = tree.run_in_one_process("results/metrics/ec/tiny-llama/baseline.parquet")
        assert dict(again.jobs) == {"record_2_many": 1, "gradient_flow": 1}
        assert {path: path.stat().st_mtime_ns for path in finished} == finished
        self.check_files(tree)

    def add_many_prompts(self, tree):
        prompts = ", ".join(f'{{name: p{i}, text: "number {i}"}}' for i in range(self.N_PROMPTS))
        tree.edit(CONFIG, "\nstatistics:", f"  many: {{prompts: [{prompts}]}}\n\nstatistics:")

    def kill_while_recording(self, tree):
        """SIGKILL to Snakemake and its job as soon as the first records of a set are there."""
        running = subprocess.Popen(
            command(f"{self.FOLDER}/p0.parquet"),
            cwd=tree.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while running.poll() is None and len(list(tree.path(self.FOLDER).glob("*.parquet"))) < 5:
                time.sleep(0.005)
            assert running.poll() is None, "the run ended before it could be killed"
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()

    def check_files(self, tree):
        files = all_files(tree)
        assert [path for path in files if path.suffix == ".tmp" or path.name.endswith(".part")] == []
        records = [path for path in files if path.suffix == ".parquet" and "tensors" in path.parts]
        assert len(list(tree.path(self.FOLDER).iterdir())) == self.N_PROMPTS
        for path in records:
            assert np.isfinite(read_trace(path).residual_gradients()).all()


class TestReadyConfigs:
    @pytest.mark.parametrize("config", ["config.yaml", "config/quick.yaml", "config/hub_gpu.yaml"])
    def test_a_ready_config_plans_every_model_and_set(self, fresh, config, monkeypatch):
        monkeypatch.chdir(fresh.folder)
        asked = load_config(load_yaml(fresh.path(config)))
        plan = fresh.plan(config=config)
        assert plan.jobs["fetch"] == len(asked.snapshots)
        assert plan.records() == {(model, name) for model in asked.models for name in asked.prompt_sets}


class TestManifest:
    def test_outputs_of_an_earlier_config_are_moved_aside_and_come_back_with_it(self, tree):
        text = tree.path(CONFIG).read_text()
        one_set_less = text[: text.index("  words:")] + text[text.index("\nstatistics:") :]
        own, others = "results/figures/radar-counting.png", "results/figures/radar-words.png"
        tree.path(CONFIG).write_text(one_set_less)
        said = tree.snakemake("results/manifest.txt")
        assert said.count("of another config w") == 1  # one line for all
        assert " outputs of another config were moved to results/aside: " in said
        assert tree.path(own).exists() and not tree.path(others).exists()
        assert tree.path("results/aside/figures/radar-words.png").exists()
        assert not tree.path("results/report.html").exists()  # it showed both sets
        assert others not in tree.path("results/manifest.txt").read_text()
        tree.path(CONFIG).write_text(text)
        plan = tree.plan()
        assert plan.jobs["figures_gradient_flow"] == 1 and plan.records() == set()
        assert "report" in plan.labels


class TestRefusals:
    def test_a_config_error_is_told_at_once_and_no_job_starts(self, fresh, tmp_path):
        tree = fresh.copy(tmp_path / "tree")
        tree.edit(CONFIG, "\nstatistics:", "\nstatistcs:")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with pytest.raises(Refused) as refused:
            tree.plan()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = str(refused.value)
        assert "config/tiny.yaml: unknown key 'statistcs'" in text
        assert "what to do: did you mean 'statistics'?" in text
        assert "Job stats" not in text
        assert "Traceback" not in text
        assert not tree.path("results/logs").exists()
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert seconds < 5

    def test_a_key_given_twice_is_told(self, fresh, tmp_path):
        tree = fresh.copy(tmp_path / "tree")
        tree.append(CONFIG, "seed: 1")
        with pytest.raises(Refused, match="the key 'seed' is given twice"):
            tree.plan()

    def test_another_config_is_not_merged_with_the_default_one(self, base):
        """With the default config beneath, the default models and sets would appear in the plan."""
        plan = base.plan("--forceall")
        assert plan.jobs["fetch"] == len(MODELS)
        assert plan.records() == {(model, name) for model in MODELS for name in SETS}
        assert "smollm2" not in plan.text

    def test_a_job_that_fails_says_why_once_and_leaves_nothing_half_done(self, base, tmp_path):
        """It is not repeated on this machine, where it could only fail the same way."""
        tree = base.copy(tmp_path / "tree")
        folder, too_long = "results/tensors/tiny-gpt2/baseline/long", "a" * 65
        prompts = f'[{{name: ok, text: "ab"}}, {{name: too_long, text: "{too_long}"}}, {{name: fine, text: "cd"}}]'
        tree.edit(CONFIG, "\nstatistics:", f"  long: {{prompts: {prompts}}}\n\nstatistics:")
        with pytest.raises(Refused) as refused:
            tree.snakemake(f"{folder}/ok.parquet")
        assert str(refused.value).count("Error in rule record_2_long") == 1
        assert "Trying to restart" not in str(refused.value)
        log = tree.path("results/logs/record/tiny-gpt2/baseline/long.part0.log").read_text()
        for text in (str(refused.value), log):
            assert "prompt 'too_long'" in text
            assert ": 65 tokens" in text
            assert "expected: at most 64, the model's context" in text
            assert "Traceback" not in text.split("prompt 'too_long'")[0].rsplit("rule record", maxsplit=1)[-1]
        assert not list(tree.path(folder).glob("*"))


def test_every_parquet_of_a_run_can_be_read(base):
    files = [path for path in all_files(base) if path.suffix == ".parquet"]
    weights, lens, read = 6, 4, 1  # of each model; weights: their spectra, states, means and three of phases
    of_a_model = sum(map(len, PROMPTS.values())) + len(METRICS) + weights + lens + read
    assert len(files) == of_a_model * len(MODELS) + len(TABLES)
    agrees_with_itself = f"metrics/agreement/{MODELS[0]}/baseline"
    without_experts = {f"metrics/routing/{model}/baseline" for model in MODELS} | {
        "tables/routing",
        "tables/expert_loads",
    }
    for path in files:
        name = path.relative_to(base.path("results")).with_suffix("").as_posix()
        is_empty = name in {agrees_with_itself, *without_experts}
        assert (pq.read_metadata(path).num_rows == 0) is is_empty, name
