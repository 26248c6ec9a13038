"""Check every step of a solution against its problem, and say where and how it first goes wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from internal_physics.lab.data.reasoning.expressions import Expression, Number, Operation, Reference, apply, canonical
from internal_physics.lab.data.reasoning.problem import Problem, Result, Solution, Step, Term

NOT_READY = "not_ready"
REDEFINITION = "redefinition"
WRONG_OPERANDS = "wrong_operands"
ARITHMETIC = "arithmetic"
WRONG_FINAL = "wrong_final"
UNREADABLE = "unreadable"
ERROR_KINDS = {
    NOT_READY: "a parameter is computed before one that it depends on",
    REDEFINITION: "a parameter is computed a second time",
    WRONG_OPERANDS: "the operands or operations are not those that the problem states",
    ARITHMETIC: "a value is not that of its source, or a result is not that of its operation",
    WRONG_FINAL: "the solution ends without the parameter that is asked for, or without the right answer",
    UNREADABLE: "the text is not a solution, or names something that the problem does not have",
}
"""Every kind of first error, and what it means."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check finds.

    Attributes:
        error: the kind of the first error, one of `ERROR_KINDS`; the empty string for a correct solution.
        step: the index of the first wrong step; the number of steps if the error comes after them; None if correct.
        what: the first error in words.
        unnecessary_parameters: how many parameters were computed, up to the first error, that the query does not need.
        unnecessary_operations: their operations.
        retries: how many steps were taken back, up to the first error.
        level: of a correct solution: 1 if it computes only what is needed, 0 if it computes every parameter that the
            problem states although not all are needed, else None.
    """

    error: str
    step: int | None
    what: str
    unnecessary_parameters: int
    unnecessary_operations: int
    retries: int
    level: int | None

    @property
    def is_correct(self) -> bool:
        """Whether every step is right and the query is answered."""
        return not self.error


def check(problem: Problem, solution: Solution) -> Verdict:
    """Check every step of a solution; a correct one may be in any topological order and compute more than is needed.

    The order of the terms of a sum or product is free. A step that is taken back is never an error.
    """
    computed: set[int] = set()
    error, what, at = "", "", None
    for index, step in enumerate(solution.steps):
        if step.is_back:
            continue
        error, what = next(_step_errors(problem, step, computed), ("", ""))
        if error:
            at = index
            break
        computed.add(step.parameter)
    else:
        error, what = _end_error(problem, solution, computed)
        at = len(solution.steps) if error else None
    return _verdict(problem, solution, computed, (error, what, at))


def _verdict(problem: Problem, solution: Solution, computed: set[int], found: tuple[str, str, int | None]) -> Verdict:
    error, what, at = found
    extra = computed - problem.needed
    level = None
    if not error:
        stated = set(range(len(problem))) - problem.unstated
        level = 1 if not extra else 0 if stated <= computed else None
    return Verdict(
        error,
        at,
        what,
        len(extra),
        sum(problem.operations[parameter] for parameter in extra),
        sum(step.is_back for step in solution.steps[:at]),
        level,
    )


def _step_errors(problem: Problem, step: Step, computed: set[int]) -> Iterator[tuple[str, str]]:
    """Errors of a step, given what was computed before it: kind and words, the first one first."""
    parameter = step.parameter
    if not 0 <= parameter < len(problem):
        yield UNREADABLE, f"parameter {parameter} is not in the problem"
    if parameter in computed:
        yield REDEFINITION, f"parameter {parameter} was computed before"
    missing = problem.dependencies[parameter] - computed
    if missing:
        yield NOT_READY, f"parameter {parameter} depends on {sorted(missing)}, which are not computed yet"
    if not _has_the_operands(problem, step):
        yield WRONG_OPERANDS, f"parameter {parameter} is not computed as the problem states it"
    yield from ((ARITHMETIC, what) for what in _arithmetic_errors(problem, step))


def _end_error(problem: Problem, solution: Solution, computed: set[int]) -> tuple[str, str]:
    """The error after the last step, if any: kind and words."""
    if solution.unreadable:
        return UNREADABLE, f"cannot be read: {solution.unreadable!r}"
    if problem.query not in computed:
        return WRONG_FINAL, f"the query, parameter {problem.query}, is not computed"
    if solution.lacks_answer:
        return WRONG_FINAL, "the solution ends without its answer"
    if solution.answer is not None and solution.answer != problem.answer:
        return WRONG_FINAL, f"the answer is {solution.answer}, not {problem.answer}"
    return "", ""


def _has_the_operands(problem: Problem, step: Step) -> bool:
    """Whether the calculations of a step, put together, are the expression of its parameter."""
    stated = _stated_expression(step)
    if stated is None:
        return False
    expected = problem.expressions[step.parameter]
    if _has_sources(step):
        return canonical(stated) == canonical(expected)
    return canonical(stated) == canonical(expected, problem.values)


def _terms(step: Step) -> Iterator[Term]:
    """The terms that a step reads, and its value where it is only read."""
    for calculation in step.calculations:
        yield calculation.left
        yield calculation.right
    if step.value is not None and not step.calculations:
        yield step.value


def _has_sources(step: Step) -> bool:
    """Whether a step says of every value where it comes from."""
    return all(term.source is not None for term in _terms(step))


def _stated_expression(step: Step) -> Expression | None:
    """What a step says that its parameter equals; None if that is not one expression of all its calculations.

    Where a step does not say where values come from, they are numbers.
    """
    by_value = not _has_sources(step)
    built: list[Expression] = []
    used: list[int] = []
    for calculation in step.calculations:
        sides = [_stated_leaf(term, built, used, by_value) for term in (calculation.left, calculation.right)]
        if sides[0] is None or sides[1] is None:
            return None
        built.append(Operation(calculation.operator, sides[0], sides[1]))
    final = step.value
    if final is None or (final.source is None and built):
        final = Term(0, Result(len(built) - 1))
    whole = _stated_leaf(final, built, used, by_value)
    return whole if sorted(used) == list(range(len(built))) else None


def _stated_leaf(term: Term, built: Sequence[Expression], used: list[int], by_value: bool) -> Expression | None:
    """The expression behind a term; results that are read are noted in `used`. None for a result that is not there."""
    if isinstance(term.source, Result):
        if not 0 <= term.source.calculation < len(built):
            return None
        used.append(term.source.calculation)
        return built[term.source.calculation]
    return Number(term.value) if by_value or term.source is None else term.source


def _arithmetic_errors(problem: Problem, step: Step) -> Iterator[str]:
    """Values that are not those of their sources, and results that are not those of their operations."""
    results: list[int] = []
    for calculation in step.calculations:
        left, right = calculation.left, calculation.right
        for term in (left, right):
            yield from _value_errors(problem, term, results)
        expected = apply(calculation.operator, left.value, right.value, problem.modulus)
        if calculation.result != expected:
            written = f"{left.value} {calculation.operator} {right.value} = {calculation.result}"
            yield f"{written}, not {expected} (modulo {problem.modulus})"
        results.append(calculation.result)
    if step.value is not None:
        final = step.value
        if final.source is None and results:
            final = Term(final.value, Result(len(results) - 1))
        yield from _value_errors(problem, final, results)


def _value_errors(problem: Problem, term: Term, results: Sequence[int]) -> Iterator[str]:
    """Whether a term has another value than its source."""
    source = term.source
    if source is None:
        return
    if isinstance(source, Reference):
        expected = problem.values[source.parameter]
    else:
        expected = results[source.calculation] if isinstance(source, Result) else source.value
    if term.value != expected:
        yield f"{term.value} is written for {expected}"
