"""Panels of a figure of a problem of reasoning: its structure, its dependencies, the steps of a solution."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from internal_physics.figures import style
from internal_physics.lab.data.reasoning.check import Verdict
from internal_physics.lab.data.reasoning.problem import Problem, Solution, Step
from internal_physics.lab.data.reasoning.structure import Structure
from internal_physics.lab.figures.graph_places import Place, places

NEEDED, NEEDLESS, WRONG, OPEN = "#0072B2", "#E69F00", "#D55E00", "#9a9a9a"
EDGE, FAINT_EDGE = "#444444", "#cfcfcf"
NEEDLESS_TEXT, BACK_TEXT = "#8a5f00", "#666666"  # the colors of the nodes are too faint for letters
NODE_POINTS = 13.0


def listed_steps(
    problem: Problem, names: Sequence[str], solution: Solution, verdict: Verdict
) -> Iterator[tuple[str, str]]:
    """Text and color of each step of a solution."""
    for number, step in enumerate(solution.steps, start=1):
        name = names[step.parameter] if 0 <= step.parameter < len(names) else "?"
        is_wrong = verdict.step == number - 1
        value = "is taken back" if step.value is None else f"= {step.value.value}"
        error = f"  ({verdict.error.replace('_', ' ')})" if is_wrong else ""
        yield style.literal(f"{number}.  {name} {value}{error}"), _color(problem, step, is_wrong)


def _color(problem: Problem, step: Step, is_wrong: bool) -> str:
    if is_wrong:
        return WRONG
    if step.is_back:
        return BACK_TEXT
    return NEEDED if step.parameter in problem.needed else NEEDLESS_TEXT


def list_steps(ax: Axes, steps: Sequence[tuple[str, str]], n_rows: int) -> None:
    """Write the steps in columns of `n_rows`, two on the width of the panel."""
    ax.axis("off")
    for index, (text, color) in enumerate(steps):
        column, row = divmod(index, n_rows)
        ax.text(0.5 * column, 1 - (row + 0.5) / n_rows, text, color=color, va="center", transform=ax.transAxes)


def draw_structure(ax: Axes, structure: Structure, problem: Problem) -> None:
    """Draw items in rows by layer, and which contain which; lines that the answer needs are blue."""
    where = {
        (layer, item): ((item + 0.5) / len(items), -float(layer))
        for layer, items in enumerate(structure.items)
        for item in range(len(items))
    }
    for parameter, (layer, item, below) in enumerate(structure.edges):
        is_needed = parameter in problem.needed
        (x, y), (x_below, y_below) = where[layer, item], where[layer + 1, below]
        color, width = (NEEDED, 1.4) if is_needed else (FAINT_EDGE, 1.0)
        ax.plot([x, x_below], [y, y_below], color=color, linewidth=width, zorder=2 if is_needed else 1)
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": OPEN, "linewidth": 0.6}
    for (layer, item), (x, y) in where.items():
        name = structure.items[layer][item].replace(" ", "\n", 1)
        ax.text(x, y, style.literal(name), ha="center", va="center", bbox=box, zorder=3)
    ax.set_title("What contains what (a line is a sentence)")
    ax.set(xlim=(0, 1), ylim=(-len(structure.items) + 0.6, 0.4))
    ax.axis("off")


def draw_dependencies(ax: Axes, problem: Problem, solution: Solution, verdict: Verdict, title: str) -> None:
    """Draw parameters as nodes with the numbers of their steps."""
    where = places(problem)
    for user, needs in enumerate(problem.dependencies):
        for need in sorted(needs):
            is_needed = user in problem.needed
            arrow = {
                "arrowstyle": "-|>",
                "color": EDGE if is_needed else FAINT_EDGE,
                "linewidth": 0.9 if is_needed else 0.6,
                "shrinkA": NODE_POINTS / 2,
                "shrinkB": NODE_POINTS / 2,
                "connectionstyle": "arc3,rad=0.12",
            }
            ax.annotate("", where[user], where[need], arrowprops=arrow, zorder=2 if is_needed else 1)
    numbers = _numbers(solution)
    for parameter, place in enumerate(where):
        _draw_node(ax, _node(problem, parameter, numbers.get(parameter, []), verdict.step), place)
    ax.set_title(title)
    ax.margins(0.1)
    ax.axis("off")


def _numbers(solution: Solution) -> Mapping[int, list[int]]:
    """Parameter -> indices of the steps that compute it."""
    found: dict[int, list[int]] = {}
    for index, step in enumerate(solution.steps):
        if not step.is_back:
            found.setdefault(step.parameter, []).append(index)
    return found


@dataclass(frozen=True)
class _Node:
    """How a parameter looks: filled if it is computed, a square if no sentence states it."""

    marker: str
    color: str
    size: float
    is_filled: bool
    has_ring: bool
    text: str


def _node(problem: Problem, parameter: int, steps: Sequence[int], wrong_step: int | None) -> _Node:
    """The look of a parameter that is computed in `steps`."""
    is_needed = parameter in problem.needed
    color = NEEDED if is_needed else NEEDLESS if steps else OPEN
    return _Node(
        marker="s" if parameter in problem.unstated else "o",
        color=WRONG if wrong_step in steps else color,
        size=NODE_POINTS if is_needed or steps else NODE_POINTS / 2,
        is_filled=bool(steps),
        has_ring=parameter == problem.query,
        text=",".join(str(index + 1) for index in steps),
    )


def _draw_node(ax: Axes, node: _Node, place: Place) -> None:
    x, y = place
    if node.has_ring:
        ax.plot(x, y, node.marker, color="white", markeredgecolor=node.color, markersize=node.size + 5, zorder=3)
    face = node.color if node.is_filled else "white"
    ax.plot(x, y, node.marker, color=face, markeredgecolor=node.color, markersize=node.size, zorder=4)
    ax.text(x, y, node.text, ha="center", va="center", color="white", fontweight="bold", zorder=5)


def legend_entries(has_squares: bool) -> list[Line2D]:
    """Handles of a legend of the nodes; squares are explained where there are any."""
    entries = [
        ("o", NEEDED, NEEDED, "needed, computed"),
        ("o", "white", NEEDED, "needed, not computed"),
        ("o", NEEDLESS, NEEDLESS, "needless, computed"),
        ("o", "white", OPEN, "needless, not computed"),
        ("o", WRONG, WRONG, "first wrong step"),
        ("s", "white", EDGE, "square: follows from others, no sentence"),
    ]
    return [
        Line2D([], [], marker=marker, color=face, markeredgecolor=edge, linestyle="none", markersize=7, label=label)
        for marker, face, edge, label in entries
        if marker != "s" or has_squares
    ]
