"""Grammars so small that all their derivations can be written out: the oracle of exact probabilities."""

from collections import Counter
from itertools import product

from internal_physics.lab.data.grammars.grammar import Grammar

TINY = Grammar(
    "tiny",
    ((9,), (7, 8), (1, 2, 3)),
    ((((0, 1), (1, 0, 0)),), (((0, 1), (2, 2, 0), (1, 1)), ((2, 1), (0, 0, 1)))),
)
# Strings of one symbol's yield split in several ways, and right-hand sides of one symbol.
AMBIGUOUS = Grammar(
    "ambiguous",
    ((9,), (7, 8), (1, 2)),
    ((((0, 1), (1, 0), (0,)),), (((0,), (0, 0), (0, 1, 0)), ((0, 0), (0,), (1, 0)))),
)


def derivations(grammar):
    """(ids, probability) of every derivation, strings with several derivations several times."""

    def of(level, symbol):
        if level == grammar.depth:
            return [((grammar.terminals[symbol],), 1.0)]
        found = []
        choices = grammar.rules[level][symbol]
        for rule in choices:
            for parts in product(*(of(level + 1, child) for child in rule)):
                probability = 1 / len(choices)
                for _, p in parts:
                    probability *= p
                found.append((sum((ids for ids, _ in parts), ()), probability))
        return found

    return of(0, 0)


def string_law(grammar):
    """String -> its probability over all derivations."""
    law = Counter()
    for string, probability in derivations(grammar):
        law[string] += probability
    return law
