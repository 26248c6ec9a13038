"""The parameters of a structure: how many of one thing are in each of another, stated or following from others."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from internal_physics.lab.data.reasoning.expressions import Expression, Operation, Reference, chain
from internal_physics.lab.data.reasoning.structure import Structure


@dataclass(frozen=True, slots=True)
class Instance:
    """How many of an item of the next layer are in each of an item; a sentence of the problem says it."""

    layer: int
    item: int
    below: int


@dataclass(frozen=True, slots=True)
class Abstract:
    """How many things of a lower layer are in each of an item; it follows from the instances."""

    layer: int
    item: int
    category: int

    @property
    def height(self) -> int:
        """How many layers the things are below the item, at least 1."""
        return self.category - self.layer


Parameter: TypeAlias = Instance | Abstract


@dataclass(frozen=True)
class Parameters:
    """All parameters of a structure: first the instances, in the order of the edges, then the abstract ones.

    An item that contains nothing of a category has no abstract parameter for it.
    """

    structure: Structure

    @cached_property
    def all(self) -> tuple[Parameter, ...]:
        """The parameters; the index here is that in a problem."""
        structure = self.structure
        abstract = [
            Abstract(layer, item, category)
            for category in range(1, len(structure.items))
            for layer in range(category - 1, -1, -1)
            for item in range(len(structure.items[layer]))
        ]
        instances = [Instance(*edge) for edge in structure.edges]
        return (*instances, *(parameter for parameter in abstract if self._has_any(parameter)))

    def _has_any(self, parameter: Abstract) -> bool:
        children = self.structure.children.get((parameter.layer, parameter.item), ())
        if parameter.height == 1:
            return bool(children)
        return any(self._has_any(Abstract(parameter.layer + 1, x, parameter.category)) for x in children)

    @property
    def n_instances(self) -> int:
        """How many instances there are; they have the indices 0..n - 1."""
        return len(self.structure.edges)

    @cached_property
    def index(self) -> Mapping[Parameter, int]:
        """The index of each parameter."""
        return {parameter: index for index, parameter in enumerate(self.all)}

    @cached_property
    def abstract_expressions(self) -> Mapping[int, Expression]:
        """What each abstract parameter equals: a sum over the items that its item contains.

        Of a category one layer below, it sums the instances; of a lower one, instance times abstract parameter.
        """
        return {
            index: self._expression(parameter)
            for index, parameter in enumerate(self.all)
            if isinstance(parameter, Abstract)
        }

    def _expression(self, parameter: Abstract) -> Expression:
        layer, item = parameter.layer, parameter.item
        terms: list[Expression] = []
        for x in self.structure.children[layer, item]:
            number_of_x = Reference(self.index[Instance(layer, item, x)])
            if parameter.height == 1:
                terms.append(number_of_x)
                continue
            in_each_x = self.index.get(Abstract(layer + 1, x, parameter.category))
            if in_each_x is not None:
                terms.append(Operation("*", number_of_x, Reference(in_each_x)))
        return chain("+", terms)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each parameter: "Misty Harbor's Swift Sloop", or "Misty Harbor's Ships"."""
        return tuple(f"{owner}'s {thing}" for owner, thing in map(self.owner_and_thing, self.all))

    def owner_and_thing(self, parameter: Parameter) -> tuple[str, str]:
        """The names of the item that contains, and of what it contains."""
        items = self.structure.items
        owner = items[parameter.layer][parameter.item]
        if isinstance(parameter, Instance):
            return owner, items[parameter.layer + 1][parameter.below]
        return owner, self.structure.categories[parameter.category]
