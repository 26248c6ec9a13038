"""Record jobs: which prompts belong to which job, and which files it writes."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from internal_physics.config.conditions import Run
from internal_physics.config.load import PromptSet
from internal_physics.config.prompts import Prompt
from internal_physics.plan.record_jobs import lost_tensors, record_jobs


def prompt_set(name, n_prompts, **fields):
    return PromptSet(name, tuple(Prompt(f"p{i}", f"text {i}", **fields) for i in range(n_prompts)), "factors")


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(1, 30))
def test_every_prompt_is_in_one_job_in_order_and_no_job_is_too_long(sizes, prompts_per_job):
    sets = [prompt_set(f"set{i}", n) for i, n in enumerate(sizes)]
    jobs = record_jobs(sets, prompts_per_job)
    assert all(1 <= len(job.prompts) <= prompts_per_job for job in jobs)
    for found in sets:
        names = [p["name"] for job in jobs if job.prompt_set == found.name for p in job.prompts]
        assert names == [p.name for p in found.prompts]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(1, 30))
def test_no_two_jobs_share_a_name_a_log_or_an_output(sizes, prompts_per_job):
    jobs = record_jobs([prompt_set(f"set.{i}", n) for i, n in enumerate(sizes)], prompts_per_job)
    outputs = [path for job in jobs for path in job.outputs]
    for unique in ([job.name for job in jobs], [job.label for job in jobs], [job.listing for job in jobs], outputs):
        assert len(set(unique)) == len(unique)


@pytest.mark.parametrize(("first", "second"), [("a.b", "a_b"), ("a-b", "a.b"), ("a", "a_part1"), ("a", "a.part1")])
def test_sets_of_similar_names_stay_apart(first, second):
    jobs = record_jobs([prompt_set(first, 4), prompt_set(second, 4)], 2)
    assert len({job.name for job in jobs}) == len({job.label for job in jobs}) == len(jobs) == 4


def test_rule_names_are_identifiers():
    assert all(job.name.isidentifier() for job in record_jobs([prompt_set("1.a-b", 3)], 1))


def test_outputs_are_one_file_per_prompt_in_the_order_of_the_prompts():
    (job,) = record_jobs([prompt_set("s", 2)], 10)
    folder = "results/tensors/{model}/{condition}/s"
    assert job.outputs == (f"{folder}/p0.parquet", f"{folder}/p1.parquet")


def test_a_job_depends_on_name_text_and_answer_but_not_on_notes():
    plain, noted = prompt_set("s", 2), prompt_set("s", 2, reason="why", kind="k", difficulty="d", expectation="e")
    assert record_jobs([plain], 5) == record_jobs([noted], 5)
    (job,) = record_jobs([prompt_set("s", 1, answer="yes")], 5)
    assert job.prompts == ({"name": "p0", "text": "text 0", "answer": "yes"},)


def test_a_changed_text_changes_its_own_job_only():
    before = record_jobs([prompt_set("s", 4), prompt_set("t", 4)], 2)
    changed = PromptSet("s", (Prompt("p0", "another text"), *prompt_set("s", 4).prompts[1:]), "factors")
    after = record_jobs([changed, prompt_set("t", 4)], 2)
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True, True]


def test_an_added_set_does_not_change_the_other_jobs():
    sets = [prompt_set("s", 4), prompt_set("t", 4)]
    assert record_jobs([*sets, prompt_set("u", 4)], 2)[:4] == record_jobs(sets, 2)


class TestLostTensors:
    RUNS = (Run("m", "baseline", ("s", "t")), Run("m", "push", ("t",)))
    JOBS = record_jobs([prompt_set("s", 3), prompt_set("t", 2)], 2)

    @pytest.fixture
    def finished(self, tmp_path, monkeypatch):
        """All records of the two runs."""
        monkeypatch.chdir(tmp_path)
        for run in self.RUNS:
            for job in (job for job in self.JOBS if job.prompt_set in run.prompt_sets):
                for path in (*job.outputs, job.listing):
                    file = tmp_path / path.format(model=run.model, condition=run.condition)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.touch()
        return tmp_path

    def test_no_record_is_lost_if_all_exist(self, finished):
        assert lost_tensors(self.RUNS, self.JOBS) == []

    @pytest.mark.parametrize("path", ["m/baseline/s/p2", "m/push/t/p0"])
    def test_a_listed_record_that_is_gone_is_requested(self, finished, path):
        lost = f"results/tensors/{path}.parquet"
        (finished / lost).unlink()
        assert lost_tensors(self.RUNS, self.JOBS) == [lost]

    def test_if_a_folder_is_gone_all_its_records_are_lost(self, finished):
        shutil.rmtree(finished / "results/tensors/m/push")
        assert lost_tensors(self.RUNS, self.JOBS) == [f"results/tensors/m/push/t/p{i}.parquet" for i in range(2)]

    def test_a_job_that_has_not_run_has_no_lost_records(self, finished):
        (finished / "results/records/m/push/t.part0.sha256").unlink()
        shutil.rmtree(finished / "results/tensors/m/push")
        assert lost_tensors(self.RUNS, self.JOBS) == []
