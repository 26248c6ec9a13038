"""What follows from the rules alone: the law of lengths, the number of trees, and their entropy."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from internal_physics.lab.data.grammars.grammar import Grammar


def length_law(grammar: Grammar) -> np.ndarray:
    """[n + 1] exact probability that a string has 0..n tokens; n is the longest possible."""
    laws = [np.array([0.0, 1.0]) for _ in grammar.terminals]
    for of_symbols in reversed(grammar.rules):
        laws = [_mixture([_convolved([laws[child] for child in rule]) for rule in rules]) for rules in of_symbols]
    return laws[0]


def length_bounds(grammar: Grammar) -> tuple[int, int]:
    """The fewest and the most tokens of a string."""
    low = [1] * len(grammar.terminals)
    for of_symbols in reversed(grammar.rules):
        low = [min(sum(low[child] for child in rule) for rule in rules) for rules in of_symbols]
    return low[0], longest_below(grammar)[0]


def longest_below(grammar: Grammar) -> list[int]:
    """[level] the most tokens below a symbol of each level; 1 for the terminals, the last."""
    high = [[1] * len(grammar.terminals)]
    for of_symbols in reversed(grammar.rules):
        high.append([max(sum(high[-1][child] for child in rule) for rule in rules) for rules in of_symbols])
    return [max(of_level) for of_level in reversed(high)]


def mean_length(grammar: Grammar) -> float:
    """Expected number of tokens of a string, without the sign that ends it."""
    return _mean_over_trees(grammar, lambda n_rules: 0.0, 1.0)


def n_trees(grammar: Grammar) -> int:
    """Exact number of derivations."""
    numbers = [1] * len(grammar.terminals)
    for of_symbols in reversed(grammar.rules):
        numbers = [sum(math.prod(numbers[child] for child in rule) for rule in rules) for rules in of_symbols]
    return numbers[0]


def tree_entropy_nats(grammar: Grammar) -> float:
    """Entropy of the random derivation. Where no string has two, it is the entropy of the string."""
    return _mean_over_trees(grammar, math.log, 0.0)


def entropy_nats_per_token(grammar: Grammar) -> float:
    """Entropy of the tree over the expected number of tokens, the sign that ends the string included.

    Where no string has two derivations, no model predicts better than this, in nats per token.
    """
    return tree_entropy_nats(grammar) / (mean_length(grammar) + 1.0)


@dataclass(frozen=True)
class GrammarFacts:
    """A grammar in numbers.

    Attributes:
        shortest, longest, mean: number of tokens of a string.
        log10_trees: decimal logarithm of the number of derivations.
        entropy_nats_per_token: as the function of that name has it.
    """

    shortest: int
    mean: float
    longest: int
    log10_trees: float
    entropy_nats_per_token: float


def grammar_facts(grammar: Grammar) -> GrammarFacts:
    """The numbers by which a grammar is described."""
    shortest, longest = length_bounds(grammar)
    trees = math.log10(n_trees(grammar))
    return GrammarFacts(shortest, mean_length(grammar), longest, trees, entropy_nats_per_token(grammar))


def _mean_over_trees(grammar: Grammar, of_node: Callable[[int], float], of_token: float) -> float:
    """Mean over trees of a sum over nodes: `of_token` for a token, `of_node(number of rules)` for any other node."""
    values = [of_token] * len(grammar.terminals)
    for of_symbols in reversed(grammar.rules):
        values = [
            of_node(len(rules)) + sum(sum(values[child] for child in rule) for rule in rules) / len(rules)
            for rules in of_symbols
        ]
    return values[0]


def _convolved(laws: list[np.ndarray]) -> np.ndarray:
    product = laws[0]
    for law in laws[1:]:
        product = np.convolve(product, law)
    return product


def _mixture(laws: list[np.ndarray]) -> np.ndarray:
    mixed = np.zeros(max(law.size for law in laws))
    for law in laws:
        mixed[: law.size] += law / len(laws)
    return mixed
