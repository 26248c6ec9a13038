"""Arithmetic expressions over parameters: what a problem says that a parameter equals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

OPERATORS = ("+", "-", "*")


@dataclass(frozen=True, slots=True)
class Number:
    """A number that the problem states."""

    value: int


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of a parameter, by its index."""

    parameter: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on two expressions.

    Attributes:
        operator: `+`, `-` or `*`.
        left, right: what it is applied to.
    """

    operator: str
    left: "Expression"
    right: "Expression"


Expression: TypeAlias = Number | Reference | Operation
Leaf: TypeAlias = Number | Reference


def chain(operator: str, expressions: Sequence[Expression]) -> Expression:
    """`a + b + c` of one or more expressions, from left to right."""
    result = expressions[0]
    for expression in expressions[1:]:
        result = Operation(operator, result, expression)
    return result


def leaves(expression: Expression) -> list[Leaf]:
    """Numbers and references of an expression, from left to right."""
    found: list[Leaf] = []
    waiting: list[Expression] = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Operation):
            waiting += (part.right, part.left)
        else:
            found.append(part)
    return found


def n_binary(expression: Expression) -> int:
    """How many operations on two values an expression has; 0 for a number or a reference alone."""
    return len(leaves(expression)) - 1


def apply(operator: str, left: int, right: int, modulus: int) -> int:
    """The result of one operation, 0..modulus - 1."""
    if operator == "+":
        return (left + right) % modulus
    return (left - right if operator == "-" else left * right) % modulus


def evaluate(expression: Expression, values: Mapping[int, int] | Sequence[int], modulus: int) -> int:
    """The value of an expression, 0..modulus - 1, from the values of the parameters it refers to."""
    if isinstance(expression, Operation):
        left, right = (evaluate(side, values, modulus) for side in (expression.left, expression.right))
        return apply(expression.operator, left, right, modulus)
    return (values[expression.parameter] if isinstance(expression, Reference) else expression.value) % modulus


def canonical(expression: Expression, values: Sequence[int] | None = None) -> tuple:
    """A form that is equal for expressions that differ only in the order of sums and products.

    Args:
        expression: which.
        values: where given, a reference counts as the number that it stands for: two expressions are then equal if
            the same numbers are combined in the same way.
    """
    if isinstance(expression, Number):
        return ("number", expression.value)
    if isinstance(expression, Reference):
        if values is None:
            return ("parameter", expression.parameter)
        return ("number", values[expression.parameter])
    if expression.operator == "-":
        return ("-", canonical(expression.left, values), canonical(expression.right, values))
    terms = [canonical(term, values) for term in _terms(expression, expression.operator)]
    return (expression.operator, *sorted(terms))


def _terms(expression: Expression, operator: str) -> Iterator[Expression]:
    """The terms of a sum of sums, or the factors of a product of products."""
    if isinstance(expression, Operation) and expression.operator == operator:
        yield from _terms(expression.left, operator)
        yield from _terms(expression.right, operator)
    else:
        yield expression
