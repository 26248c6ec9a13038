"""How many English problems of each difficulty a model solves, and how much of its solutions is needless."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from internal_physics.config.options.lab_word_problems import WordProblemsMeasures
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.templates import TEST_BINS
from internal_physics.lab.data.reasoning.word_problem import WordProblem, ask_again
from internal_physics.lab.data.reasoning.write import write
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.solutions import mean_of
from internal_physics.lab.experiments.word_problems import questions
from internal_physics.lab.experiments.word_problems.data import problem_set
from internal_physics.lab.experiments.word_problems.solving import Solved, solve_all
from internal_physics.lab.models.run import load_model
from internal_physics.lab.probes.asking import Probe, told_by, train_probe
from internal_physics.lab.probes.problem_answers import PROBE_COLUMNS, probe_rows, random_model
from internal_physics.lab.probes.problem_columns import RANDOM, TRAINED
from internal_physics.lab.probes.problem_questions import SENTENCE_RULES

FIRST_OP = 2  # the test bins have no template of one operation


def measure(trained: Trained, options: WordProblemsMeasures) -> Mapping[str, pd.DataFrame]:
    """Tables `lab_word_problems` and `lab_word_probes`, of the last snapshot; probes ask models without retries."""
    model = load_model(trained.snapshots[trained.last_step], device=trained.device)
    solved = pd.DataFrame(_rows(model, trained, options))
    tasks: tuple[str, ...] = () if trained.data.retry_rate else options.probe_tasks
    probes = [row for task in tasks for row in _probed(model, task, trained, options)]
    return {"lab_word_problems": solved, "lab_word_probes": pd.DataFrame(probes, columns=PROBE_COLUMNS)}


def _rows(model: PreTrainedModel, trained: Trained, options: WordProblemsMeasures) -> Iterator[Mapping[str, Any]]:
    most = trained.data.operations
    for op in (*range(FIRST_OP, most + 1), *(most + more for more in options.beyond)):
        for is_again in (False, True):
            draws = generator(trained.seed, "texts of test problems", str(op), str(is_again))
            problems = _problems(trained, op, options.n_problems, is_again, draws)
            asked = [(given, write(given, draws)) for given in problems]
            solved = solve_all(model, asked, trained.data.order, options.rows_per_pass)
            yield {
                "step": trained.last_step,
                "operations": op,
                "is_asked_again": is_again,
                "in_training": op <= most,
                **_summary(solved),
            }


def _probed(
    model: PreTrainedModel, task: str, trained: Trained, options: WordProblemsMeasures
) -> Iterator[tuple[Any, ...]]:
    """Rows of `lab_word_probes` about one task."""
    asked = questions.judged(task, trained.data, options.probe_judged, trained.seed)
    n_answers = questions.n_answers(task, asked[0].problem.modulus)
    right = np.array([item.answer for item in asked])
    told: dict[str, np.ndarray] = {}
    for name, frozen in ((TRAINED, model), (RANDOM, random_model(trained))):
        first = seed_of(trained.seed, "a probe", task) % 2**63
        probe = Probe(frozen, options.probe_rank, first, n_answers=n_answers)
        train_probe(probe, questions.asked_in_training(task, trained.data, trained.seed), options)
        told[name] = told_by(probe, [item.tokens for item in asked])
    for name, rule in SENTENCE_RULES.get(task, {}).items():  # what `known` and `value` ask stands in one sentence
        told[name] = np.array([int(rule(item)) for item in asked])
    yield from probe_rows(task, told, right, n_answers)


def _problems(trained: Trained, op: int, n: int, is_again: bool, draws: np.random.Generator) -> Iterator[WordProblem]:
    """Test problems of an op. They depend on seed and sizes only: arms of the same sizes solve the same ones.

    Asked again, the question is about any parameter, and its template may be one of training; that of op 1 always is.
    """
    problems = problem_set(trained.data, trained.seed, TEST_BINS, op)
    for number in range(n):
        given = problems.problem(number)
        yield ask_again(given, draws=draws) if is_again else given


def _summary(solved: Sequence[Solved]) -> Mapping[str, Any]:
    verdicts = [one.verdict for one in solved]
    correct = [verdict for verdict in verdicts if verdict.is_correct]
    return {
        "n_problems": len(solved),
        "accuracy": len(correct) / len(solved),
        "answer_accuracy": float(np.mean([one.has_right_answer for one in solved])),
        "unnecessary_parameters": mean_of([verdict.unnecessary_parameters for verdict in correct]),
        "unnecessary_operations": mean_of([verdict.unnecessary_operations for verdict in correct]),
        "retries": float(np.mean([verdict.retries for verdict in verdicts])),
        "status": OK,
    }
