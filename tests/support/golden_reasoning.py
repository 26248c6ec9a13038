"""The worked example of Ye et al. (2024, section 2.1) with other names: seven operations, answer 16."""

from internal_physics.lab.data.reasoning.expressions import Expression, Number, Operation, Reference, chain
from internal_physics.lab.data.reasoning.parameters import Abstract, Instance, Parameters
from internal_physics.lab.data.reasoning.problem import Problem
from internal_physics.lab.data.reasoning.solve import solve
from internal_physics.lab.data.reasoning.structure import Structure
from internal_physics.lab.data.reasoning.word_problem import WordProblem

STRUCTURE = Structure(
    categories=("Ships", "Cabins", "Chests"),
    items=(("Swift Sloop", "Brave Sloop"), ("Chart Cabin", "Pilot Cabin"), ("Oak Trunk", "Pine Trunk")),
    edges=((0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0)),
)
P, W, B, G = Instance(1, 1, 0), Instance(1, 0, 1), Instance(0, 0, 0), Instance(1, 0, 0)
W_ALL, C = Abstract(1, 0, 2), Abstract(0, 0, 2)
ORDER = (P, W, B, G, W_ALL, C)
SOLUTION = (
    "Define Pilot Cabin's Oak Trunk as p; so p = 17. "
    "Define Chart Cabin's Pine Trunk as W; so W = 13. "
    "Define Swift Sloop's Chart Cabin as B; so B = p + W = 17 + 13 = 7. "
    "Define Chart Cabin's Oak Trunk as g; R = W + B = 13 + 7 = 20; so g = 12 + R = 12 + 20 = 9. "
    "Define Chart Cabin's Chests as w; so w = g + W = 9 + 13 = 22. "
    "Define Swift Sloop's Chests as c; so c = B * w = 7 * 22 = 16."
)
LETTERS = "pWBgRwc"


def golden() -> WordProblem:
    """The problem, and its solution in the order of the paper."""
    parameters = Parameters(STRUCTURE)
    index = parameters.index
    p, w, b = (Reference(index[parameter]) for parameter in (P, W, B))
    stated: dict[int, Expression] = {
        index[P]: Number(17),
        index[W]: Number(13),
        index[B]: chain("+", [p, w]),
        index[G]: Operation("+", Number(12), chain("+", [w, b])),
        index[Instance(0, 1, 1)]: Operation("*", Number(2), Reference(index[W_ALL])),
    }
    expressions = {**stated, **parameters.abstract_expressions}
    ordered = tuple(expressions[parameter] for parameter in range(len(parameters.all)))
    problem = Problem(ordered, index[C], 23, frozenset(parameters.abstract_expressions))
    return WordProblem(parameters, problem, solve(problem, [index[parameter] for parameter in ORDER]))
