"""Questions about the parameters of English problems, for probes: the text so far, then `[START] name [END]`.

The answers are exact. Rules answer from single sentences and say how much needs no chain of them. No torch.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from internal_physics.config.options.lab_word_problems import WordProblemsData
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.english import (
    PROBE_END,
    PROBE_MIDDLE,
    PROBE_START,
    english_vocabulary,
    words_of,
)
from internal_physics.lab.data.reasoning.files import ProblemSet
from internal_physics.lab.data.reasoning.labels import Labels, labels_of
from internal_physics.lab.data.reasoning.problem import Problem
from internal_physics.lab.data.reasoning.templates import TEST_BINS, TRAINING_BINS
from internal_physics.lab.data.reasoning.word_problem import WordProblem
from internal_physics.lab.data.reasoning.write import Written, write
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.word_problems.data import problem_set
from internal_physics.lab.probes.problem_questions import CAN_BE_NEXT, DEPENDS, KNOWN, NEEDED, NEEDED_NEXT, VALUE, Item


def n_answers(task: str, modulus: int) -> int:
    """How many answers a task has."""
    return modulus + 1 if task == VALUE else 2


def asked_in_training(task: str, data: WordProblemsData, seed: int) -> Iterator[Item]:
    """Questions without end on problems of the training templates."""
    return _questions(task, problem_set(data, seed, TRAINING_BINS), data.order, seed, "to fit a probe")


def judged(task: str, data: WordProblemsData, n: int, seed: int) -> list[Item]:
    """Questions on problems of the test templates, on which probes and rules are judged."""
    asked = _questions(task, problem_set(data, seed, TEST_BINS), data.order, seed, "to judge a probe")
    return [next(asked) for _ in range(n)]


def _questions(task: str, problems: ProblemSet, order: str, seed: int, purpose: str) -> Iterator[Item]:
    """One question about each problem that has a parameter with the answer that was drawn."""
    for number in count():
        draws = generator(seed, "questions", purpose, task, str(number))
        given = problems.problem(number)
        found = question(task, given, write(given, draws), order, draws)
        if found is not None:
            yield found


def question(task: str, given: WordProblem, written: Written, order: str, draws: np.random.Generator) -> Item | None:
    """A question whose answer is yes or no, each equally likely; None where no parameter has the answer that is drawn.

    Args:
        task: what is asked.
        given: the problem.
        written: its text with its own solution.
        order: pq or qp. `depends` is asked before a question that stands last.
        draws: of the answer, the place in the solution, and the parameter.
    """
    problem, labels = given.problem, labels_of(given.problem, given.solution)
    step = _step(task, len(given.solution.steps), draws)
    is_yes = bool(draws.random() < 0.5)
    pairs = np.argwhere(_may_be_asked(task, problem, labels, step) & (_yes(task, labels, step) == is_yes))
    if not len(pairs):
        return None
    one, *others = pairs[int(draws.integers(len(pairs)))].tolist()
    answer = int(labels.value_or_modulus[step, one]) if task == VALUE else int(is_yes)
    names = [given.parameters.names[parameter] for parameter in (one, *others)]
    tokens = _tokens(_text(task, written, order, step), names, problem.modulus)
    return Item(problem, tokens, one, answer, *(others or [-1]))


def _step(task: str, n_steps: int, draws: np.random.Generator) -> int:
    """How many steps stand before the question: some but not all; for `known` and `value` at least one."""
    if task in (NEEDED, DEPENDS):
        return 0
    return int(draws.integers(n_steps)) + int(task in (KNOWN, VALUE))


def _yes(task: str, labels: Labels, step: int) -> np.ndarray:
    """[P] bool, or [P, P] of pairs."""
    by_task: Mapping[str, np.ndarray] = {
        NEEDED: labels.needed,
        DEPENDS: labels.depends,
        KNOWN: labels.known[step],
        VALUE: labels.known[step],
        CAN_BE_NEXT: labels.can_be_next[step],
        NEEDED_NEXT: labels.needed_next[step],
    }
    return by_task[task]


def _may_be_asked(task: str, problem: Problem, labels: Labels, step: int) -> np.ndarray:
    """Of which parameters a task asks: not of the query, of a parameter and itself, or of what is computed already."""
    everything = np.ones(len(problem), dtype=bool)
    if task == DEPENDS:
        return ~np.eye(len(problem), dtype=bool)
    if task == NEEDED:
        return np.arange(len(problem)) != problem.query
    return everything if task in (KNOWN, VALUE) else ~labels.known[step]


def _text(task: str, written: Written, order: str, step: int) -> str:
    """What the model reads before it is asked."""
    if task == DEPENDS and order == "pq":
        return written.problem
    ends = [first - len("Define ") for first, _ in written.name_spans] + [len(written.solution)]
    return f"{written.prompt(order)} {written.solution[: ends[step]]}"


def _tokens(text: str, names: Sequence[str], modulus: int) -> list[int]:
    asked = [PROBE_START, *words_of(names[0])]
    for name in names[1:]:
        asked += [PROBE_MIDDLE, *words_of(name)]
    return [END_ID, *english_vocabulary(modulus).ids([*words_of(text), *asked, PROBE_END]).tolist()]
