"""The structure of an English problem: which items there are, and which contain which."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from random import Random

from internal_physics.lab.data.reasoning.sizes import Drawn
from internal_physics.lab.data.reasoning.worlds import World, worlds

Edge = tuple[int, int, int]  # layer, item, item of the next layer


@dataclass(frozen=True)
class Structure:
    """Layers of items, and edges from items to those of the next layer that they contain.

    Attributes:
        categories: of each layer, what its items are together: "Ships".
        items: of each layer, their names: "Swift Sloop".
        edges: each once; every item below the first layer is in at least one item.
    """

    categories: tuple[str, ...]
    items: tuple[tuple[str, ...], ...]
    edges: tuple[Edge, ...]

    @cached_property
    def children(self) -> dict[tuple[int, int], tuple[int, ...]]:
        """(layer, item) -> the items of the next layer that it contains, in ascending order."""
        found: dict[tuple[int, int], list[int]] = {}
        for layer, item, below in sorted(self.edges):
            found.setdefault((layer, item), []).append(below)
        return {item: tuple(below) for item, below in found.items()}


def draw_structure(drawn: Drawn, random: Random, given: Sequence[World] | None = None) -> Structure:
    """A random structure of the given sizes, about a random part of a random world.

    Args:
        drawn: numbers of layers and edges, and the bounds of the number of items in a layer.
        random: of all draws.
        given: the worlds to choose from; the project's when not given.
    """
    widths = _draw_widths(drawn, random)
    layers = _draw_layers(len(widths), random, given or worlds())
    items = tuple(
        tuple(random.sample(random.choice(layer.items), width)) for layer, width in zip(layers, widths, strict=True)
    )
    return Structure(tuple(layer.category for layer in layers), items, _draw_edges(widths, drawn.edges, random))


def _draw_layers(n_layers: int, random: Random, given: Sequence[World]) -> tuple:
    """Consecutive layers of a world."""
    world = random.choice(given)
    first = random.randint(0, len(world.layers) - n_layers)
    return world.layers[first : first + n_layers]


def _draw_widths(drawn: Drawn, random: Random) -> list[int]:
    """How many items each layer has: enough for the edges, and not more than can each be in one."""
    widths = [drawn.narrowest] * drawn.layers
    more = random.random()
    while True:
        narrow = [layer for layer, width in enumerate(widths) if width < drawn.widest]
        possible = sum(above * below for above, below in pairwise(widths))
        if not narrow or (possible >= drawn.edges and (sum(widths[1:]) == drawn.edges or random.random() >= more)):
            return widths
        widths[random.choice(narrow)] += 1


def _draw_edges(widths: Sequence[int], n_edges: int, random: Random) -> tuple[Edge, ...]:
    """One parent for every item below the first layer, then others at random."""
    edges = {
        (layer, random.randrange(widths[layer]), below)
        for layer in range(len(widths) - 1)
        for below in range(widths[layer + 1])
    }
    others = [
        (layer, item, below)
        for layer in range(len(widths) - 1)
        for item in range(widths[layer])
        for below in range(widths[layer + 1])
        if (layer, item, below) not in edges
    ]
    return tuple(sorted(edges | set(random.sample(others, n_edges - len(edges)))))
