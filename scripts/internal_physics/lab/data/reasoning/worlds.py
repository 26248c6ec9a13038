"""The things that English problems are about: four categorisations of four layers, with 100 items in each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORLDS_FILE = Path(__file__).with_name("worlds.yaml")


@dataclass(frozen=True)
class Layer:
    """One layer of a categorisation.

    Attributes:
        category: what all its items are together, in the plural: "Ships".
        items: for each of its five kinds, the names of twenty items: "Swift Sloop".
    """

    category: str
    items: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class World:
    """A categorisation: items of each layer contain items of the next."""

    name: str
    layers: tuple[Layer, ...]


@cache
def worlds() -> tuple[World, ...]:
    """The categorisations of the project, from `worlds.yaml`."""
    given = yaml.safe_load(WORLDS_FILE.read_text(encoding="utf-8"))
    return tuple(World(name, tuple(_layer(layer) for layer in layers)) for name, layers in given.items())


def _layer(given: dict[str, str]) -> Layer:
    first_words: Sequence[str] = given["first_words"].split()
    items = tuple(tuple(f"{word} {kind}" for word in first_words) for kind in given["kinds"].split())
    return Layer(given["category"], items)
