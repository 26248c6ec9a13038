"""Problems and solutions as English texts."""

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.expressions import Number, Reference
from internal_physics.lab.data.reasoning.parameters import Parameters
from internal_physics.lab.data.reasoning.problem import Calculation, Problem, Result, Solution, Step, Term
from internal_physics.lab.data.reasoning.statements import statement_text

if TYPE_CHECKING:
    from internal_physics.lab.data.reasoning.word_problem import WordProblem

LETTERS = string.ascii_letters
N_LETTERS = len(LETTERS)
BACK = "BACK"
ORDERS = ("pq", "qp")
Names = Mapping[int, str] | Sequence[str]
Span = tuple[int, int]  # first character, and the one after the last


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a problem with a solution.

    Attributes:
        problem: a sentence for each instance, in random order.
        question: what is asked for.
        solution: a sentence for each step.
        answer: the number.
        name_spans: for each step, where the name of its parameter is in `solution`.
    """

    problem: str
    question: str
    solution: str
    answer: int
    name_spans: tuple[Span, ...]

    def prompt(self, order: str = "pq") -> str:
        """Problem and question, or (qp) question and problem.

        Raises:
            UserError: for another order.
        """
        if order not in ORDERS:
            raise UserError(f"no order {order!r}", where="texts", expected="pq or qp", todo="name one of them")
        return f"{self.problem} {self.question}" if order == "pq" else f"{self.question} {self.problem}"

    def completion(self) -> str:
        """The solution and the answer."""
        return f"{self.solution} {answer_text(self.answer)}"

    def text(self, order: str = "pq") -> str:
        """All of it."""
        return f"{self.prompt(order)} {self.completion()}"


def write(given: "WordProblem", draws: np.random.Generator, solution: Solution | None = None) -> Written:
    """The text of a problem, with sentences in random order and random variables.

    Args:
        given: the problem.
        draws: of the order of the sentences and of the variables.
        solution: with retries, or a longer one; the problem's own when not given.

    Raises:
        UserError: for a solution with more operations than there are letters (52).
    """
    parameters, problem = given.parameters, given.problem
    sentences = [sentence(parameters, problem, int(instance)) for instance in draws.permutation(parameters.n_instances)]
    letters = (LETTERS[index] for index in draws.permutation(N_LETTERS))
    text, spans = solution_text(solution or given.solution, parameters.names, letters)
    return Written(" ".join(sentences), question(parameters, problem.query), text, problem.answer, spans)


def sentence(parameters: Parameters, problem: Problem, instance: int) -> str:
    """The sentence that says what an instance equals."""
    names = parameters.names
    return f"The number of each {names[instance]} equals {statement_text(problem.expressions[instance], names)}."


def question(parameters: Parameters, query: int) -> str:
    """The question about a parameter."""
    owner, thing = parameters.owner_and_thing(parameters.all[query])
    return f"How many {thing} does {owner} have?"


def answer_text(answer: int) -> str:
    """The sentence of the answer."""
    return f"Answer: {answer}."


def solution_text(
    solution: Solution, names: Names, letters: Iterable[str], number: Callable[[int], str] = str
) -> tuple[str, tuple[Span, ...]]:
    """The steps of a solution as one text, and where in it the parameters' names are.

    Args:
        solution: whose; without the answer.
        names: of the parameters.
        letters: of the variables, in the order in which they are taken; each operation takes one.
        number: how a number is written.

    Raises:
        UserError: if there are too few letters.
    """
    writer = _Writer(names, iter(letters), number)
    begin, sentences, spans = 0, [], []
    for step in solution.steps:
        name = names[step.parameter]
        sentences.append(f"Define {name} as {writer.rest(step)}.")
        first = begin + len("Define ")
        spans.append((first, first + len(name)))
        begin += len(sentences[-1]) + 1
    return " ".join(sentences), tuple(spans)


class _Writer:
    """Writes steps one after the other and remembers the variable of each parameter."""

    def __init__(self, names: Names, letters: Iterator[str], number: Callable[[int], str]) -> None:
        self._names, self._letters, self._number = names, letters, number
        self._letter_of: dict[int, str] = {}

    def rest(self, step: Step) -> str:
        """What comes after "Define … as"."""
        if step.value is None:
            return BACK
        own = self._letter()
        clauses, results = [own], list[str]()
        for place, calculation in enumerate(step.calculations):
            is_last = place == len(step.calculations) - 1
            results.append(own if is_last else self._letter())
            clauses.append(f"{'so ' if is_last else ''}{results[-1]} = {self._calculation(calculation, results)}")
        if not step.calculations:
            clauses.append(f"so {own} = {self._copy(step.value)}")
        self._letter_of[step.parameter] = own
        return "; ".join(clauses)

    def _letter(self) -> str:
        letter = next(self._letters, None)
        if letter is None:
            raise UserError(
                "the solution needs more variables than there are letters",
                where="texts of solutions",
                expected=f"at most {N_LETTERS} operations",
                todo="write a shorter solution",
            )
        return letter

    def _calculation(self, done: Calculation, results: Sequence[str]) -> str:
        """`a + b = 3 + 4 = 7`."""
        symbols = f"{self._symbol(done.left, results)} {done.operator} {self._symbol(done.right, results)}"
        numbers = f"{self._number(done.left.value)} {done.operator} {self._number(done.right.value)}"
        return f"{symbols} = {numbers} = {self._number(done.result)}"

    def _copy(self, term: Term) -> str:
        """`a = 3`, or `3`."""
        value = self._number(term.value)
        return f"{self._symbol(term, ())} = {value}" if isinstance(term.source, Reference) else value

    def _symbol(self, term: Term, results: Sequence[str]) -> str:
        """The variable that a term is read from, or a number."""
        source = term.source
        if isinstance(source, Reference):
            return self._letter_of[source.parameter]
        if isinstance(source, Result):
            return results[source.calculation]
        return self._number(source.value if isinstance(source, Number) else term.value)
