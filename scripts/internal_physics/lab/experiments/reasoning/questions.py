"""Questions about the parameters of a problem, for probes: the text so far, then `[START] name [END]`.

The answers are exact. Rules answer, too, from the text's surface, and say how much needs no model. No torch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set

import numpy as np

from internal_physics.config.options.lab_reasoning import ReasoningData
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.labels import all_dependencies
from internal_physics.lab.data.reasoning.nano import (
    MODULUS,
    PROBE_END_ID,
    PROBE_START_ID,
    QUERY_TOKENS,
    STEP_TOKENS,
    NanoProblem,
    digit_of,
    draw_problem,
)
from internal_physics.lab.data.reasoning.problem import Problem, Step
from internal_physics.lab.data.reasoning.solve import level_1_solution
from internal_physics.lab.probes.problem_questions import (
    CAN_BE_NEXT,
    DEPENDS,
    KNOWN,
    NEEDED,
    NEEDED_NEXT,
    SENTENCE_RULES,
    VALUE,
    Item,
)

_MAY_BE_KNOWN = (KNOWN, VALUE)  # all others ask about parameters that are not computed yet


def n_answers(task: str) -> int:
    """How many answers a task has."""
    return MODULUS + 1 if task == VALUE else 2


def question(drawn: NanoProblem, written: Sequence[int], parameter: int) -> list[int]:
    """Tokens that ask about a parameter after some tokens of a solution."""
    return [*drawn.prompt(), *written, PROBE_START_ID, drawn.names[parameter], PROBE_END_ID]


def items(task: str, data: ReasoningData, draws: np.random.Generator) -> Iterator[Item]:
    """Questions without end, on problems of 2 or more operations.

    Those with the answers yes and no are equally likely; of `value` those about parameters with and without a value.
    """
    while True:
        needed = int(draws.integers(2, data.operations + 1))
        drawn = draw_problem(draws, needed, data.parameters)
        is_yes = bool(draws.random() < 0.5)
        if task == DEPENDS:
            yield _of_pair(drawn, is_yes, draws)
        elif (item := _of_one(task, drawn, is_yes, draws)) is not None:
            yield item


def _of_pair(drawn: NanoProblem, is_yes: bool, draws: np.random.Generator) -> Item:
    depends = all_dependencies(drawn.problem)
    pairs = np.argwhere((depends == is_yes) & ~np.eye(len(depends), dtype=bool))
    one, other = pairs[int(draws.integers(len(pairs)))].tolist()
    asked = [PROBE_START_ID, drawn.names[one], drawn.names[other], PROBE_END_ID]
    return Item(drawn.problem, [*drawn.prompt()[:-QUERY_TOKENS], *asked], one, int(is_yes), other)


def _of_one(task: str, drawn: NanoProblem, is_yes: bool, draws: np.random.Generator) -> Item | None:
    """A question whose answer is yes or no; None where the problem has no such parameter."""
    problem = drawn.problem
    begun: tuple[Step, ...] = ()
    if task != NEEDED:
        steps = level_1_solution(problem, draws).steps
        fewest = int(task in _MAY_BE_KNOWN)
        begun = steps[: fewest + int(draws.integers(len(steps) - fewest))]
    known = {step.parameter for step in begun}
    left_out = {problem.query} if task == NEEDED else set() if task in _MAY_BE_KNOWN else known
    is_so = _YES[task]
    found = [p for p in range(len(problem)) if p not in left_out and is_so(problem, known, p) == is_yes]
    if not found:
        return None
    parameter = found[int(draws.integers(len(found)))]
    written = tuple(token for step in begun for token in drawn.step(step))
    answer = int(is_yes)
    if task == VALUE:
        answer = problem.values[parameter] if is_yes else MODULUS
    return Item(problem, question(drawn, written, parameter), parameter, answer, written=written)


_YES: Mapping[str, Callable[[Problem, Set[int], int], bool]] = {
    NEEDED: lambda problem, known, asked: asked in problem.needed,
    CAN_BE_NEXT: lambda problem, known, asked: problem.dependencies[asked] <= known,
    NEEDED_NEXT: lambda problem, known, asked: asked in problem.needed and problem.dependencies[asked] <= known,
    KNOWN: lambda problem, known, asked: asked in known,
    VALUE: lambda problem, known, asked: asked in known,
}
"""Of parameters that are asked about, when the answer is yes; the labels of `lab.data.reasoning.labels`, one by one."""


def judged_items(task: str, data: ReasoningData, n: int, seed: int) -> list[Item]:
    """Fresh questions on which all probes and rules are judged."""
    asked = items(task, data, generator(seed, "questions to judge a probe", task))
    return [next(asked) for _ in range(n)]


def _written(item: Item) -> int:
    """The last digit of the parameter's own step; the modulus where it has none."""
    name = item.tokens[-2]
    steps = np.reshape(item.written, (-1, STEP_TOKENS))
    own = steps[steps[:, 0] == name]
    return digit_of(int(own[0, -2])) if len(own) else MODULUS


RULES: Mapping[str, Mapping[str, Callable[[Item], int]]] = {
    **SENTENCE_RULES,
    KNOWN: {"written": lambda item: _written(item) < MODULUS},
    VALUE: {"written": _written},
}
"""What single sentences and steps tell, without a chain of two."""
