"""Problems as Parquet files."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from internal_physics.ground.errors import UserError
from internal_physics.lab import data
from internal_physics.lab.data.reasoning import files
from internal_physics.lab.data.reasoning.sizes import ReasoningSizes


def test_a_file_has_the_problems_of_their_numbers_whatever_the_chunks(tmp_path, monkeypatch):
    problems = data.ProblemSet(ReasoningSizes(most_operations=5), bins=data.TEST_BINS, retry_rate=0.4, seed=3)
    data.write_problems(tmp_path / "all.parquet", 30, problems)
    monkeypatch.setattr(files, "PER_CHUNK", 7)
    data.write_problems(tmp_path / "part.parquet", 20, problems, first=10)
    rows = pq.read_table(tmp_path / "all.parquet")
    assert rows.slice(10).equals(pq.read_table(tmp_path / "part.parquet"))
    assert rows["number"].to_pylist() == list(range(30)) and set(rows["template_bin"].to_pylist()) <= {*data.TEST_BINS}
    for row in rows.to_pylist():
        given, written = problems.written(row["number"])
        read = data.read_solution(f"{row['solution']} Answer: {row['answer']}.", given.parameters.names)
        verdict = data.check(given.problem, read)
        assert verdict.is_correct and verdict.level == 1 and verdict.retries == row["retries"]
        assert (row["problem"], row["question"]) == (written.problem, written.question)
        assert (row["operations"], row["parameters"]) == (given.problem.n_operations, len(given.problem))
        assert row["needed"] == len(given.problem.needed)
    assert sum(rows["retries"].to_pylist()) > 10


def test_seeds_make_different_problems_and_a_set_can_have_one_op():
    first, second = (data.ProblemSet(operations=4, seed=seed).problem(0) for seed in (0, 1))
    assert first != second and first.problem.n_operations == second.problem.n_operations == 4


def test_no_problems_are_refused(tmp_path):
    with pytest.raises(UserError, match="0 problems"):
        data.write_problems(tmp_path / "none.parquet", 0)
    assert not list(tmp_path.iterdir())


def test_a_problem_of_ones_own_can_be_checked_without_words():
    from internal_physics.lab.data.reasoning.expressions import Number, Reference

    problem = data.Problem((Number(2), Reference(0)), query=1, modulus=5)
    assert problem.answer == 2 and data.draw_word_problem(draws=np.random.default_rng(0)).problem.modulus == 23
