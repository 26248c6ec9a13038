"""Read the English text of a solution, as a model may have written it."""

import re
from collections.abc import Mapping, Sequence

from internal_physics.lab.data.reasoning.expressions import Number, Reference
from internal_physics.lab.data.reasoning.problem import (
    UNKNOWN,
    Calculation,
    Result,
    Solution,
    Source,
    Step,
    Term,
    back,
)

_NUMBER = r"(?:0|[1-9][0-9]{0,17})"  # as `write` writes one: ASCII digits, no leading zero, at most 18 digits
_DEFINITION = re.compile(r"\s*Define ([^;.]+?) as (?:(BACK)|([a-zA-Z]); ([^.]+))\.")
_ANSWER = re.compile(rf"\s*Answer: ({_NUMBER})\.")
_SYMBOL = rf"([a-zA-Z]|{_NUMBER})"
_CALCULATION = re.compile(rf"([a-zA-Z]) = {_SYMBOL} ([-+*]) {_SYMBOL} = ({_NUMBER}) ([-+*]) ({_NUMBER}) = ({_NUMBER})")
_COPY = re.compile(rf"([a-zA-Z]) = (?:([a-zA-Z]) = )?({_NUMBER})")
Variables = dict[str, Source]


def read_solution(text: str, names: Sequence[str]) -> Solution:
    """The steps of a solution and its answer, up to the first sentence that cannot be read.

    Nothing is checked here but the form: a variable that nothing has defined is `UNKNOWN`.

    Args:
        text: solution and answer, as `Written.completion` has them.
        names: of the problem's parameters; a sentence about anything else cannot be read.
    """
    index = {name: parameter for parameter, name in enumerate(names)}
    steps: list[Step] = []
    variables: Variables = {}
    place = 0
    while found := _DEFINITION.match(text, place):
        step = _step(found, index, variables)
        if step is None:
            break
        steps.append(step)
        place = found.end()
    answer = _ANSWER.match(text, place)
    rest = text[answer.end() if answer else place :].strip()
    return Solution(tuple(steps), int(answer[1]) if answer else None, rest, lacks_answer=answer is None)


def last_answer(text: str) -> int | None:
    """The number of the last sentence that says an answer, whatever else the text has; None without one."""
    found = _ANSWER.findall(text)
    return int(found[-1]) if found else None


def _step(found: re.Match[str], index: Mapping[str, int], variables: Variables) -> Step | None:
    """The step of a sentence, or None; its variable is added to the known ones."""
    name, is_back, letter, body = found.groups()
    parameter = index.get(name)
    if parameter is None:
        return None
    if is_back:
        return back(parameter)
    *before, last = body.split("; ")
    if not last.startswith("so "):
        return None
    step = _calculated(parameter, letter, [*before, last[3:]], variables)
    if step is not None:
        for clause in before:  # a result between takes its letter from whatever had it
            variables.pop(clause[0], None)
        variables[letter] = Reference(parameter)
    return step


def _calculated(parameter: int, letter: str, clauses: Sequence[str], variables: Variables) -> Step | None:
    """The step of clauses, of which the last sets the parameter's own variable."""
    local, calculations = dict(variables), list[Calculation]()
    for clause in clauses:
        found = _CALCULATION.fullmatch(clause)
        if not found:
            break
        calculation = _calculation(found, local)
        if calculation is None:
            return None
        calculations.append(calculation)
        local[found[1]] = Result(len(calculations) - 1)
    value = _value(clauses[len(calculations) :], letter, calculations, local)
    return None if value is None else Step(parameter, tuple(calculations), value)


def _value(rest: Sequence[str], letter: str, calculations: Sequence[Calculation], known: Variables) -> Term | None:
    """What the parameter is set to: the last result, or (one clause is left) a value that is only read."""
    if not rest:
        last = Result(len(calculations) - 1)
        return Term(calculations[-1].result, last) if known.get(letter) == last else None
    copied = _COPY.fullmatch(rest[0])
    if len(rest) > 1 or not copied or copied[1] != letter:
        return None
    return Term(int(copied[3]), _source(copied[2] or copied[3], known))


def _calculation(found: re.Match[str], known: Variables) -> Calculation | None:
    """`r = a + b = 3 + 4 = 7`; None if the two operators differ."""
    _, left, operator, right, left_value, again, right_value, result = found.groups()
    if operator != again:
        return None
    terms = (Term(int(left_value), _source(left, known)), Term(int(right_value), _source(right, known)))
    return Calculation(operator, *terms, int(result))


def _source(symbol: str, known: Variables) -> Source:
    """Where the value of a symbol comes from."""
    return Number(int(symbol)) if symbol.isdigit() else known.get(symbol, UNKNOWN)
