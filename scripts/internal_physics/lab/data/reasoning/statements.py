"""What the sentence of a parameter says, drawn at random from the parameters that it depends on."""

from collections.abc import Collection
from random import Random

from internal_physics.lab.data.reasoning.expressions import Expression, Number, Operation, Reference, chain


def draw_statement(needs: Collection[int], has_number: bool, modulus: int, random: Random) -> Expression:
    """A random expression of all the given parameters, and of a number if it has one.

    The parameters are summed; two of them are summed or subtracted. A number is added, or (never 0) multiplied with
    the rest.

    Raises:
        ValueError: for neither parameters nor a number.
    """
    if not needs:
        if not has_number:
            raise ValueError("a statement without operands")
        return Number(random.randrange(modulus))
    references = [Reference(parameter) for parameter in random.sample(sorted(needs), len(needs))]
    is_difference = len(references) == 2 and random.random() < 0.5
    rest = chain("-" if is_difference else "+", references)
    if not has_number:
        return rest
    if random.random() < 0.5:
        return Operation("+", Number(random.randrange(modulus)), rest)
    return Operation("*", Number(random.randrange(1, modulus)), rest)


def statement_text(expression: Expression, names: tuple[str, ...]) -> str:
    """What a parameter equals, in English: "2 times as much as the sum of each A's B and each C's D"."""
    if isinstance(expression, Number):
        return str(expression.value)
    if isinstance(expression, Reference):
        return f"each {names[expression.parameter]}"
    if isinstance(expression.left, Number):
        relation = "more than" if expression.operator == "+" else "times as much as"
        return f"{expression.left.value} {relation} {statement_text(expression.right, names)}"
    operands = [statement_text(operand, names) for operand in _operands(expression)]
    listed = ", ".join(operands[:-1]) + f" and {operands[-1]}"
    return f"the {'sum' if expression.operator == '+' else 'difference'} of {listed}"


def _operands(expression: Expression) -> list[Expression]:
    """a, b, c of a + b + c; a, b of a - b."""
    if isinstance(expression, Operation) and expression.operator == "+":
        return [*_operands(expression.left), expression.right]
    return [expression.left, expression.right] if isinstance(expression, Operation) else [expression]
