"""Random dependencies between the parameters of a structure, for a query that needs a given number of operations.

It follows Ye et al. (2024): first some abstract parameters with all that they need, then instances, then an order in
which one depends on another until the query needs all of them, then more operands until the number of operations is
right. What the query does not need depends on anything that is known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from internal_physics.lab.data.reasoning.expressions import Reference, leaves
from internal_physics.lab.data.reasoning.parameters import Abstract, Parameters
from internal_physics.lab.data.reasoning.sizes import Drawn


@dataclass(frozen=True)
class Fixed:
    """What follows from the structure alone, by parameter.

    Attributes:
        n_instances: parameters 0..n - 1 are instances, the others abstract.
        heights: of the abstract parameters, by index; an instance has 0.
        needs: what an abstract parameter depends on; nothing for an instance.
        behind: the parameter, and all that it depends on.
        costs: operations of each parameter; 1 for an instance.
    """

    n_instances: int
    heights: tuple[int, ...]
    needs: tuple[frozenset[int], ...]
    behind: tuple[frozenset[int], ...]
    costs: tuple[int, ...]


def fixed_part(parameters: Parameters) -> Fixed:
    """The dependencies that follow from the structure of the parameters."""
    n = parameters.n_instances
    needs: list[frozenset[int]] = [frozenset()] * n
    behind, costs = [frozenset([instance]) for instance in range(n)], [1] * n
    for index, expression in sorted(parameters.abstract_expressions.items()):
        operands = leaves(expression)
        references = frozenset([leaf.parameter for leaf in operands if isinstance(leaf, Reference)])
        needs.append(references)
        behind.append(frozenset([index]).union(*(behind[reference] for reference in references)))
        costs.append(max(1, len(operands) - 1))
    heights = tuple(p.height if isinstance(p, Abstract) else 0 for p in parameters.all)
    return Fixed(n, heights, tuple(needs), tuple(behind), tuple(costs))


@dataclass
class Dependencies:
    """What each instance depends on, while it is being drawn.

    Attributes:
        query: the parameter that is asked for.
        needs: for each instance, the parameters in its sentence.
        has_number: the instances with a number in their sentence.
    """

    query: int
    needs: list[set[int]]
    has_number: set[int] = field(default_factory=set)


def draw_dependencies(fixed: Fixed, drawn: Drawn, most_operands: int, random: Random) -> Dependencies | None:
    """Dependencies whose query needs exactly `drawn.operations` operations; None if these draws do not lead to any."""
    chosen = _draw_necessary(fixed, drawn, random)
    ordered = _draw_order(fixed, chosen, random)
    if ordered is None:
        return None
    order, found = ordered
    missing = drawn.operations - sum(fixed.costs[parameter] for parameter in chosen)
    room = _room(fixed, order, most_operands)
    extra = _draw_extra_operations(room, missing, random)
    if extra is None:
        return None
    for place, parameter in enumerate(order):
        if parameter < fixed.n_instances:
            _draw_operands(found, parameter, order[:place], extra[parameter], random)
    _draw_unnecessary(fixed, order, found, most_operands, random)
    return found


def _draw_necessary(fixed: Fixed, drawn: Drawn, random: Random) -> set[int]:
    """The parameters that the query will need: abstract ones with all that they need, then instances."""
    chosen: set[int] = set()
    cost = 0
    while True:
        prices = {
            index: sum(fixed.costs[parameter] for parameter in fixed.behind[index] - chosen)
            for index in range(fixed.n_instances, len(fixed.costs))
            if index not in chosen
        }
        fitting = [index for index, price in prices.items() if cost + price <= drawn.abstract_operations]
        if not fitting:
            break
        taken = random.choices(fitting, [math.exp(fixed.heights[index]) for index in fitting])[0]
        chosen |= fixed.behind[taken]
        cost += prices[taken]
    others = [instance for instance in range(fixed.n_instances) if instance not in chosen]
    return chosen | set(random.sample(others, min(len(others), drawn.first_operations - cost)))


def _draw_order(fixed: Fixed, chosen: set[int], random: Random) -> tuple[list[int], Dependencies] | None:
    """A topological order of the chosen parameters, from its end: each is needed by one that is already placed.

    An instance may get one operand among those that are not placed yet, and must where nothing else is needed. An
    abstract parameter cannot: then the draws have failed.
    """
    users = dict.fromkeys(chosen, 0)
    for parameter in chosen:
        for need in fixed.needs[parameter]:
            users[need] += 1
    keenness = abs(random.gauss(0, 1))  # how much abstract and new parameters are preferred as operands
    probability = random.random()
    query = random.choice(sorted(parameter for parameter, n in users.items() if n == 0))
    found = Dependencies(query, [set() for _ in range(fixed.n_instances)])
    placed, needed, rest = [], {query}, set(chosen)
    while rest:
        available = sorted(parameter for parameter in needed & rest if users[parameter] == 0)
        if not available:
            return None
        parameter = random.choice(available)
        placed.append(parameter)
        rest.discard(parameter)
        for need in fixed.needs[parameter]:
            users[need] -= 1
            needed.add(need)
        is_stuck = not any(users[other] == 0 for other in needed & rest)
        if parameter < fixed.n_instances and rest and (is_stuck or random.random() < probability):
            open_ones = sorted(other for other in rest if not is_stuck or users[other] == 0)
            weights = [_weight(other, fixed, other not in needed, keenness) for other in open_ones]
            operand = random.choices(open_ones, weights)[0]
            found.needs[parameter].add(operand)
            needed.add(operand)
    return placed[::-1], found


def _weight(operand: int, fixed: Fixed, is_new: bool, keenness: float) -> float:
    return math.exp(keenness * ((operand >= fixed.n_instances) + is_new))


def _room(fixed: Fixed, order: Sequence[int], most_operands: int) -> list[int]:
    """How many operations beyond one each instance can have, if it depends on earlier parameters only.

    With x extra operations it has x + 2 operands, of which one may be a number.
    """
    room = [0] * fixed.n_instances
    for place, parameter in enumerate(order):
        if parameter < fixed.n_instances:
            room[parameter] = max(0, min(most_operands - 2, place - 1))
    return room


def _draw_extra_operations(room: Sequence[int], missing: int, random: Random) -> list[int] | None:
    """The extra operations of each instance, `missing` in all; None if there is no room for them."""
    if not 0 <= missing <= sum(room):
        return None
    left, extra = list(room), [0] * len(room)
    for _ in range(missing):
        chosen = random.choice([instance for instance, more in enumerate(left) if more])
        left[chosen] -= 1
        extra[chosen] += 1
    return extra


def _draw_operands(found: Dependencies, instance: int, earlier: Sequence[int], extra: int, random: Random) -> None:
    """Fill the sentence of an instance with operands among the earlier parameters, and perhaps a number."""
    n_operands = extra + 2 if extra else random.randint(1, 2)
    others = [parameter for parameter in earlier if parameter not in found.needs[instance]]
    missing = n_operands - len(found.needs[instance])
    if missing > 0 and (random.random() < 0.5 or len(others) < missing):
        found.has_number.add(instance)
        missing -= 1
    found.needs[instance].update(random.sample(others, min(missing, len(others))))


def _draw_unnecessary(
    fixed: Fixed, order: Sequence[int], found: Dependencies, most_operands: int, random: Random
) -> None:
    """Sentences of the instances that the query does not need: about anything known, or only about each other."""
    known, apart = set(order), set[int]()
    unused = [instance for instance in range(fixed.n_instances) if instance not in known]
    random.shuffle(unused)
    for instance in unused:
        is_apart = random.random() < 0.5
        candidates = _with_abstract(fixed, apart if is_apart else known)
        n_operands = 1
        while n_operands < most_operands and random.random() < 0.5:
            n_operands += 1
        if random.random() < 0.5 or not candidates:
            found.has_number.add(instance)
            n_operands -= 1
        found.needs[instance].update(random.sample(candidates, min(n_operands, len(candidates))))
        known.add(instance)
        if is_apart:
            apart.add(instance)


def _with_abstract(fixed: Fixed, known: set[int]) -> list[int]:
    """The known parameters, and the abstract ones that follow from the known instances, in ascending order."""
    follow = (
        index
        for index in range(fixed.n_instances, len(fixed.costs))
        if all(other in known for other in fixed.behind[index] if other < fixed.n_instances)
    )
    return sorted(known.union(follow))
