"""Where the nodes of a graph without cycles stand: dependencies on the left, what needs them on the right."""

from internal_physics.lab.data.reasoning.problem import Problem

SWEEPS = 8
Place = tuple[float, float]


def places(problem: Problem) -> list[Place]:
    """X and y of every parameter.

    x is the number of dependencies on the longest way to a parameter that depends on nothing. In a column, parameters
    stand near those that they are connected with; y is 1 apart and centred at 0.
    """
    columns = _columns(problem)
    neighbors = _neighbors(problem)
    y = {p: float(place) for column in columns for place, p in enumerate(column)}
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = {p: sum(y[q] for q in neighbors[p]) / len(neighbors[p]) if neighbors[p] else y[p] for p in column}
            column.sort(key=wanted.__getitem__)
            y.update({parameter: place - (len(column) - 1) / 2 for place, parameter in enumerate(column)})
    depth = {p: number for number, column in enumerate(columns) for p in column}
    return [(float(depth[p]), y[p]) for p in range(len(problem))]


def _columns(problem: Problem) -> list[list[int]]:
    """Parameters by their depth."""
    depth = [0] * len(problem)
    for parameter in problem.order:
        depth[parameter] = max((depth[need] + 1 for need in problem.dependencies[parameter]), default=0)
    return [[p for p in range(len(problem)) if depth[p] == level] for level in range(max(depth) + 1)]


def _neighbors(problem: Problem) -> list[list[int]]:
    found: list[list[int]] = [sorted(needs) for needs in problem.dependencies]
    for parameter, needs in enumerate(problem.dependencies):
        for need in needs:
            found[need].append(parameter)
    return found
