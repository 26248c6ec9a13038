"""Training and test problems that share no solution template.

The template of a solution is its text without what makes it particular: a parameter is only an instance or an abstract
one, every number is 0, and variables are named in the order in which they appear. Its SHA-256, modulo 23, is its bin.
As in the paper of Ye et al. (2024), bins 0..16 are for training and 17..22 for tests. (The published program has 0..15
and 16..22.) There is only one template of one operation, so that only one side has such problems: training.
"""

import hashlib
from functools import cache
from itertools import count

from internal_physics.lab.data.reasoning.problem import Solution
from internal_physics.lab.data.reasoning.write import solution_text

N_BINS = 23
TRAINING_BINS = range(17)
TEST_BINS = range(17, N_BINS)


def template(solution: Solution, n_instances: int) -> str:
    """The template of a solution; parameters below `n_instances` are instances."""
    parameters = {step.parameter for step in solution.steps}
    names = {parameter: "Inst" if parameter < n_instances else "Abs" for parameter in parameters}
    text, _ = solution_text(solution, names, (f"v{number}" for number in count()), lambda _: "0")
    return text


def template_bin(solution: Solution, n_instances: int) -> int:
    """The bin of a solution's template, 0..22."""
    return bin_of(template(solution, n_instances))


def bin_of(text: str) -> int:
    """The bin of a template, 0..22."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % N_BINS


@cache
def bin_of_one_operation() -> int:
    """The bin of the only template of one operation: a value that is read. It is one of the training bins."""
    return bin_of("Define Inst as v0; so v0 = 0.")
