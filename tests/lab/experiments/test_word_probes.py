"""What probes ask about English problems, against answers read off the text, and their table and figure."""

import re
from dataclasses import replace

import numpy as np
import pytest
from figure_texts import visible_texts
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.config.options.lab_word_problems import WordProblemsData, WordProblemsMeasures
from internal_physics.lab.data.reasoning.english import english_vocabulary, text_of
from internal_physics.lab.data.reasoning.templates import TEST_BINS
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.word_problems import questions
from internal_physics.lab.experiments.word_problems.experiment import LAB_WORD_PROBES
from internal_physics.lab.experiments.word_problems.figures import lab_word_probes
from internal_physics.lab.experiments.word_problems.measures import measure
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.lab.probes.problem_questions import SENTENCE_RULES, TASKS
from internal_physics.tables.conform import conform

DATA = WordProblemsData(operations=4, instances=7, tokens_per_window=300)
VOCABULARY = english_vocabulary(23)


class Text:
    """A question as text, and what follows from the sentences of its solution so far."""

    def __init__(self, item, names):
        whole = text_of(VOCABULARY.words(item.tokens[1:]))
        self.before, marked = whole.split("[START]")
        self.asked = [part.strip() for part in marked.removesuffix("[END]").split("[MID]")]
        self.names = names
        self.done = {
            name: int(value) for name, value in re.findall(r"Define ([^;.]+?) as [^.]* = (\d+)\.", self.before)
        }

    def reaches(self, problem, one, other):
        return any(need == other or self.reaches(problem, need, other) for need in problem.dependencies[one])


def named(given, item):
    return [given.parameters.names[item.parameter]] + [given.parameters.names[item.other]] * (item.other >= 0)


@pytest.mark.parametrize("order", ["pq", "qp"])
@pytest.mark.parametrize("task", TASKS)
def test_answers_follow_from_the_problem_and_the_text_so_far(task, order):
    problems = questions.problem_set(DATA, 0, TEST_BINS)
    answers = []
    for number in range(60):
        draws = np.random.default_rng(number)
        given = problems.problem(number)
        written = questions.write(given, draws)
        item = questions.question(task, given, written, order, draws)
        if item is None:
            continue
        problem, names = given.problem, given.parameters.names
        text = Text(item, names)
        assert text.asked == named(given, item)
        known = {names.index(name) for name in text.done}
        is_ready = item.parameter not in known and problem.dependencies[item.parameter] <= known
        is_needed = item.parameter == problem.query or text.reaches(problem, problem.query, item.parameter)
        expected = {
            "needed": is_needed,
            "depends": item.other >= 0 and text.reaches(problem, item.parameter, item.other),
            "known": item.parameter in known,
            "value": text.done.get(names[item.parameter], 23),
            "can_be_next": is_ready,
            "needed_next": is_ready and is_needed,
        }[task]
        assert item.answer == int(expected)
        assert (written.question in text.before) == (task != "depends" or order == "qp")
        assert ("Define" in text.before) >= (task in ("known", "value"))
        assert written.solution.startswith(
            text.before.split("?")[-1].strip() if order == "pq" and task != "depends" else ""
        )
        answers.append(item.answer < 23 if task == "value" else item.answer)
    assert 0.25 < np.mean(answers) < 0.75 and len(answers) > 40


def test_questions_are_the_same_each_time_and_judged_ones_are_of_the_test_templates():
    one, same = (questions.judged("needed", DATA, 5, 1) for _ in range(2))
    assert [item.tokens for item in one] == [item.tokens for item in same]
    fitted = questions.asked_in_training("needed", DATA, 1)
    assert not {tuple(next(fitted).tokens) for _ in range(5)} & {tuple(item.tokens) for item in one}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    options = LabModelOptions(layers=1, width=16, heads=2, norm="rms", biases=False)
    folder = tmp_path_factory.mktemp("snapshot")
    save_model(build_model(lab_config(options, VOCABULARY, 300), 0), VOCABULARY, folder)
    return str(folder)


def measured(snapshot, data, tasks):
    options = WordProblemsMeasures(
        n_problems=1, beyond=(), probe_tasks=tasks, probe_steps=2, probe_items=3, probe_judged=40
    )
    found = measure(Trained("a", 0, data, {3: snapshot}), options)["lab_word_probes"]
    return conform(found.assign(arm="a", seed=0), LAB_WORD_PROBES)


def test_every_task_has_the_trained_and_a_random_model_and_its_rules(snapshot):
    table = measured(snapshot, replace(DATA, operations=2), tuple(TASKS))
    told = {task: {"trained", "random", *SENTENCE_RULES.get(task, ())} for task in TASKS}
    assert {task: set(own["told_by"]) for task, own in table.groupby("task")} == told
    assert (table["n_items"] == 40).all()
    figure = lab_word_probes.draw_probes(table)
    assert {"does the answer need it?", "what is its value, if any?"} <= {
        t.get_text() for t, _ in visible_texts(figure)
    }


def test_without_tasks_and_on_arms_with_retries_nothing_is_asked(snapshot):
    small = replace(DATA, operations=2)
    assert measured(snapshot, small, ()).empty
    assert measured(snapshot, replace(small, retry_rate=0.5), ("needed",)).empty
