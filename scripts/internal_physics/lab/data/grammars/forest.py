"""Many trees at once: the strings of a grammar, and which symbols each token stands below.

All trees lie one after another in flat arrays, level by level, so that drawing costs a few numpy calls per level.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from internal_physics.lab.data.grammars.grammar import Grammar


@dataclass(frozen=True)
class _Choices:
    """The rules of one level in flat arrays: rule r of a symbol is number first[symbol] + r."""

    numbers: np.ndarray  # [symbol] how many rules
    first: np.ndarray  # [symbol]
    lengths: np.ndarray  # [rule]
    starts: np.ndarray  # [rule] where its children begin in `children`
    children: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Forest:
    """Derivations of a grammar.

    Attributes:
        grammar: whose they are.
        n_trees: how many.
        symbols: [level][node] index of each node's symbol in its level; nodes from left to right, tree after tree.
        n_children: [level][node] how many children each node has, for all levels but the terminals.
    """

    grammar: Grammar
    n_trees: int
    symbols: tuple[np.ndarray, ...]
    n_children: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        """How many trees, not all their nodes."""
        return f"Forest({self.n_trees:,} trees of {self.grammar.name}, {len(self.terminals):,} tokens)"

    @property
    def terminals(self) -> np.ndarray:
        """[token] index of each token among the terminals, all strings one after another."""
        return self.symbols[-1]

    @property
    def tokens(self) -> np.ndarray:
        """[token] id of each token, likewise."""
        return np.asarray(self.grammar.terminals)[self.terminals]

    @cached_property
    def n_leaves(self) -> tuple[np.ndarray, ...]:
        """[level][node] how many tokens stand below each node; 1 for a token."""
        leaves = [np.ones(self.terminals.size, dtype=np.int64)]
        for children in reversed(self.n_children):
            leaves.append(np.add.reduceat(leaves[-1], _starts(children)))
        return tuple(reversed(leaves))

    @property
    def lengths(self) -> np.ndarray:
        """[tree] number of tokens of each string."""
        return self.n_leaves[0]

    def strings(self) -> list[np.ndarray]:
        """The strings, as arrays of ids."""
        return np.split(self.tokens, np.cumsum(self.lengths)[:-1])

    def ancestors(self, level: int) -> np.ndarray:
        """[token] index, in its level, of the symbol that each token stands below."""
        return np.repeat(self.symbols[level], self.n_leaves[level])

    def subtrees(self, level: int) -> np.ndarray:
        """[token] which node of the level each token stands below, counted from 0 in its own tree."""
        nodes = np.repeat(np.arange(self.symbols[level].size), self.n_leaves[level])
        first = nodes[_starts(self.lengths)]
        return nodes - np.repeat(first, self.lengths)

    def ends(self, level: int) -> np.ndarray:
        """[token] bool: whether a token is the last below its node of the level."""
        ends = np.zeros(self.terminals.size, dtype=bool)
        ends[np.cumsum(self.n_leaves[level]) - 1] = True
        return ends

    def boundaries(self) -> np.ndarray:
        """[token] the level nearest to the root at which a token is an end; it is one at all levels below too."""
        found = np.full(self.terminals.size, self.grammar.depth)
        for level in reversed(range(self.grammar.depth)):
            found[self.ends(level)] = level
        return found


def sample_forest(grammar: Grammar, n_trees: int, rng: np.random.Generator) -> Forest:
    """Independent random derivations.

    Args:
        grammar: whose.
        n_trees: how many, at least 1.
        rng: the same state gives the same trees.
    """
    if n_trees < 1:
        raise ValueError(f"{n_trees} trees: expected at least 1")
    symbols, numbers = [np.zeros(n_trees, dtype=np.int64)], []
    for choices in _choices(grammar):
        above = symbols[-1]
        rules = choices.first[above] + (rng.random(above.size) * choices.numbers[above]).astype(np.int64)
        lengths = choices.lengths[rules]
        shifts = choices.starts[rules] - _starts(lengths)
        symbols.append(choices.children[np.arange(lengths.sum()) + np.repeat(shifts, lengths)])
        numbers.append(lengths)
    return Forest(grammar, n_trees, tuple(symbols), tuple(numbers))


def _starts(lengths: np.ndarray) -> np.ndarray:
    """Where each of the pieces begins that lie one after another."""
    return np.cumsum(lengths) - lengths


@cache
def _choices(grammar: Grammar) -> tuple[_Choices, ...]:
    levels = []
    for of_symbols in grammar.rules:
        numbers = np.array([len(rules) for rules in of_symbols])
        rules = [rule for rules in of_symbols for rule in rules]
        lengths = np.array([len(rule) for rule in rules])
        children = np.array([child for rule in rules for child in rule])
        levels.append(_Choices(numbers, _starts(numbers), lengths, _starts(lengths), children))
    return tuple(levels)
