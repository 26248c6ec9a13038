"""Problems of single symbols, a dialect small enough for a CPU: sums of two digits or names, modulo 5.

A problem is one sentence `x a b .` for each parameter (x = a + b), in random order, then `? q !`. A solution is one
step `x a b c ;` for each parameter that the query needs (both values and their sum); `x BACK ;` takes a name back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.reasoning.expressions import Expression, Leaf, Number, Operation, Reference, leaves
from internal_physics.lab.data.reasoning.problem import Calculation, Problem, Solution, Step, Term, back
from internal_physics.lab.data.vocabulary import END, END_ID, PADDING_ID, Vocabulary

MODULUS = 5
N_NAMES = 12
BACK = "BACK"
_MARKS = (".", "?", "!", ";", BACK, "[START]", "[END]")  # the last two: for probes; no text has them
_NAMES = tuple("abcdefghijkl")
VOCABULARY = Vocabulary.of([*_MARKS, *map(str, range(MODULUS)), *_NAMES])
_STOP, _ASK, _ASKED, _NEXT, BACK_ID, PROBE_START_ID, PROBE_END_ID = (int(i) for i in VOCABULARY.ids(_MARKS))
_FIRST_DIGIT, _FIRST_NAME = (int(i) for i in VOCABULARY.ids(["0", _NAMES[0]]))
STEP_TOKENS, BACK_TOKENS, QUERY_TOKENS = 5, 3, 3


@dataclass(frozen=True, slots=True)
class NanoProblem:
    """A problem and the words it is written in.

    Attributes:
        problem: parameters 0, 1, …
        names: token of each parameter.
        sentences: the parameters in the order in which the text describes them.
    """

    problem: Problem
    names: tuple[int, ...]
    sentences: tuple[int, ...]

    def prompt(self) -> list[int]:
        """Tokens of the problem and the question, after the `<eos>` that begins a row."""
        tokens = [END_ID]
        for parameter in self.sentences:
            tokens.append(self.names[parameter])
            tokens.extend(self._leaf(leaf) for leaf in leaves(self.problem.expressions[parameter]))
            tokens.append(_STOP)
        return [*tokens, _ASK, self.names[self.problem.query], _ASKED]

    def step(self, step: Step) -> list[int]:
        """Tokens of a step of a solution."""
        name = self.names[step.parameter]
        if step.value is None:
            return [name, BACK_ID, _NEXT]
        ((left, right),) = ((c.left.value, c.right.value) for c in step.calculations)
        return [name, *(_FIRST_DIGIT + value for value in (left, right, step.value.value)), _NEXT]

    def solution(self, solution: Solution) -> list[int]:
        """Tokens of a solution and the `<eos>` that ends it."""
        return [*(token for step in solution.steps for token in self.step(step)), END_ID]

    def _leaf(self, leaf: Leaf) -> int:
        return self.names[leaf.parameter] if isinstance(leaf, Reference) else _FIRST_DIGIT + leaf.value


def draw_problem(draws: np.random.Generator, needed: int, parameters: int, number_share: float = 0.5) -> NanoProblem:
    """A random problem whose query needs exactly `needed` parameters, itself included; each costs one operation.

    Parameter i needs i - 1 unless a later one does, so all of 0..needed - 1 are behind the query. The other parameters
    depend on anything before them.

    Args:
        draws: of everything.
        needed: 1..parameters.
        parameters: of the problem, at most 12.
        number_share: probability that an operand that is free is a number.

    Raises:
        ConfigError: for sizes that no problem has.
    """
    if not 1 <= needed <= parameters <= N_NAMES:
        raise ConfigError(
            f"{needed} needed parameters of {parameters}", where="problem", expected=f"at most {N_NAMES} of each"
        )
    uniform = iter(draws.random(7 * parameters).tolist())
    operands: list[list[int]] = [[] for _ in range(parameters)]
    used: set[int] = set()
    for parameter in (*range(needed - 1, -1, -1), *range(needed, parameters)):
        own = operands[parameter]
        if 0 < parameter < needed and parameter - 1 not in used:
            own.append(parameter - 1)
        while len(own) < 2:
            own.append(_operand(parameter, uniform, number_share))
        if own[0] == own[1]:
            own[1] = -1
        if next(uniform) < 0.5:
            own.reverse()
        if parameter < needed:
            used.update(own)
    expressions = tuple(Operation("+", *(_leaf(operand, uniform) for operand in own)) for own in operands)
    names = (_FIRST_NAME + draws.permutation(N_NAMES)[:parameters]).tolist()
    return NanoProblem(
        Problem(expressions, needed - 1, MODULUS), tuple(names), tuple(draws.permutation(parameters).tolist())
    )


def _operand(parameter: int, uniform: Iterator[float], number_share: float) -> int:
    """An earlier parameter, or -1 for a number."""
    if parameter == 0 or next(uniform) < number_share:
        return -1
    return int(next(uniform) * parameter)


def _leaf(operand: int, uniform: Iterator[float]) -> Leaf:
    return Reference(operand) if operand >= 0 else Number(int(next(uniform) * MODULUS))


def digit_of(token: int) -> int:
    """The digit that a token is."""
    return token - _FIRST_DIGIT


def read_prompt(tokens: Sequence[int]) -> NanoProblem:
    """The problem of a prompt's tokens, with or without `<eos>` before them; parameters in the order of the sentences.

    Raises:
        ConfigError: if they are no problem.
    """
    given = [token for token in tokens if token != END_ID]
    body, question = given[:-QUERY_TOKENS], given[-QUERY_TOKENS:]
    is_problem = len(body) % 4 == 0 and len(question) == QUERY_TOKENS and question[::2] == [_ASK, _ASKED]
    names = tuple(body[::4])
    index = {name: number for number, name in enumerate(names)}
    if not is_problem or set(body[3::4]) - {_STOP} or len(index) < len(names) or question[1] not in index:
        raise _unreadable(tokens)
    try:
        expressions = tuple(
            Operation("+", _read_leaf(body[at + 1], index), _read_leaf(body[at + 2], index))
            for at in range(0, len(body), 4)
        )
    except KeyError:
        raise _unreadable(tokens) from None
    return NanoProblem(Problem(expressions, index[question[1]], MODULUS), names, tuple(range(len(names))))


def _read_leaf(token: int, index: dict[int, int]) -> Expression:
    digit = digit_of(token)
    return Number(digit) if 0 <= digit < MODULUS else Reference(index[token])


def _unreadable(tokens: Sequence[int]) -> ConfigError:
    found = " ".join(VOCABULARY.words(list(tokens)))
    return ConfigError(f"no problem: {found!r}", where="problem", expected="sentences `x a b .`, then `? q !`")


def read_solution(problem: NanoProblem, tokens: Sequence[int]) -> Solution:
    """The solution that generated tokens are; `unreadable` is where they are none, or end without `<eos>`."""
    steps: list[Step] = []
    given = [int(token) for token in tokens if token != PADDING_ID]
    at = 0
    while at < len(given) and given[at] != END_ID:
        step = _read_step(problem, given[at : at + STEP_TOKENS])
        if step is None:
            return Solution(tuple(steps), unreadable=" ".join(VOCABULARY.words(given[at : at + STEP_TOKENS])))
        steps.append(step)
        at += BACK_TOKENS if step.is_back else STEP_TOKENS
    return Solution(tuple(steps), unreadable="" if at < len(given) else f"no {END}")


def _read_step(problem: NanoProblem, tokens: list[int]) -> Step | None:
    if not tokens or tokens[0] not in problem.names:
        return None
    parameter = problem.names.index(tokens[0])
    if tokens[1:BACK_TOKENS] == [BACK_ID, _NEXT]:
        return back(parameter)
    digits = [digit_of(token) for token in tokens[1:4]]
    if tokens[4:] != [_NEXT] or not all(0 <= digit < MODULUS for digit in digits):
        return None
    left, right, result = digits
    return Step(parameter, (Calculation("+", Term(left), Term(right), result),), Term(result))
