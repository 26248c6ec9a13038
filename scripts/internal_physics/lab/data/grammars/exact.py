"""Exact probabilities of strings and prefixes, by dynamic programming over all spans of many strings at once.

span[s][i, j] is the probability that symbol s yields tokens i..j-1. As a matrix, the right-hand side c1 c2 c3 is the
product span[c1] @ span[c2] @ span[c3], so a level costs a few matrix products. A second pass from the root down gives,
for every prefix, the probability that each symbol comes next.

A probability falls by about e^-0.7 with every token. So a token counts `scale` instead of 1, close to the factor by
which it falls: float64 then holds the spans of thousands of tokens. All formulas are linear, so it divides out.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from internal_physics.lab.data.grammars.grammar import Grammar
from internal_physics.lab.data.grammars.laws import longest_below, mean_length, tree_entropy_nats
from internal_physics.lab.data.padding import padded

_BATCH_BYTES = 2**27
_BLOCK = 64  # rows of a matrix that are multiplied at once; the products of short spans skip what must be zero
Strings = Sequence[Sequence[int] | np.ndarray]
Spans = list[list[np.ndarray]]  # [level - 1][symbol], each [string, n + 1, n + 1]


@dataclass(frozen=True)
class _Weights:
    """What a token and a rule count: for probabilities (scaled), or 1 each for numbers of derivations."""

    token: float
    counts_rules: bool

    def of_rule(self, n_rules: int) -> float:
        return 1.0 if self.counts_rules else 1.0 / n_rules


@dataclass(frozen=True, repr=False)
class Prefixes:
    """What the grammar says after every prefix of one string of n tokens.

    Attributes:
        next_tokens: [n + 1, 1 + terminals] probability that the string ends after the first k tokens (column 0), or
            goes on with each terminal. NaN after a prefix that no string has.
        log_probability_nats: [n + 1] of the prefix; -inf for one that no string has. The first is 0.
        is_string: whether the whole is a string of the grammar.
    """

    next_tokens: np.ndarray
    log_probability_nats: np.ndarray
    is_string: bool

    def __repr__(self) -> str:
        """The string's length and log-probability, not those of all prefixes."""
        whole = "a string" if self.is_string else "no string"
        return f"Prefixes({whole} of {len(self.next_tokens) - 1} tokens, {self.log_probability_nats[-1]:.4g} nats)"


def are_strings(grammar: Grammar, strings: Strings) -> np.ndarray:
    """[string] bool: whether each sequence of terminals' ids is a string of the grammar; other ids are none."""
    return np.isfinite(log_probabilities_nats(grammar, strings))


def log_probabilities_nats(grammar: Grammar, strings: Strings) -> np.ndarray:
    """[string] ln of the probability of each sequence of terminals' ids, over all derivations; -inf for no string."""
    weights = _Weights(_scale(grammar), counts_rules=False)
    with np.errstate(divide="ignore"):
        values = np.log(_of_whole(grammar, strings, weights))
    return values - np.array([len(string) for string in strings]) * math.log(weights.token)


def numbers_of_derivations(grammar: Grammar, strings: Strings) -> np.ndarray:
    """[string] in how many ways the grammar derives each; 0 for no string. Float64: exact up to 2^53."""
    return _of_whole(grammar, strings, _Weights(1.0, counts_rules=True))


def prefixes(grammar: Grammar, strings: Strings) -> list[Prefixes]:
    """The distribution of the next token after every prefix of each sequence of terminals' ids, the empty one first."""
    weights = _Weights(_scale(grammar), counts_rules=False)
    found: list[Prefixes | None] = [None] * len(strings)
    for chosen, tokens in _batches(grammar, strings):
        spans = _spans(grammar, tokens, weights)
        reached, ended = _reached(grammar, spans, weights, grammar.depth)
        joint = np.stack([ended, *reached], axis=-1)  # [string, n + 1, 1 + terminals]
        for row, index in enumerate(chosen):
            found[index] = _prefixes_of(joint[row, : len(strings[index]) + 1], weights.token)
    return [one for one in found if one is not None]


def _prefixes_of(joint: np.ndarray, scale: float) -> Prefixes:
    totals = joint.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(totals) - np.arange(totals.size) * math.log(scale)
        return Prefixes(joint / totals[:, None], logs, bool(joint[-1, 0] > 0))


def _of_whole(grammar: Grammar, strings: Strings, weights: _Weights) -> np.ndarray:
    """[string] sum of the weights of all derivations; 0 for the empty string."""
    values = np.zeros(len(strings))
    for chosen, tokens in _batches(grammar, strings):
        _, ended = _reached(grammar, _spans(grammar, tokens, weights), weights, 1)
        values[chosen] = ended[np.arange(len(chosen)), [len(strings[index]) for index in chosen]]
    return values


def _spans(grammar: Grammar, tokens: np.ndarray, weights: _Weights) -> Spans:
    """The span matrices of all levels below the root, for [string, n] terminals' indices (-1: none)."""
    n_strings, n = tokens.shape
    leaves = []
    for terminal in range(len(grammar.terminals)):
        span = np.zeros((n_strings, n + 1, n + 1))
        span[:, np.arange(n), np.arange(1, n + 1)] = weights.token * (tokens == terminal)
        leaves.append(span)
    levels = [leaves]
    for of_symbols, longest in zip(reversed(grammar.rules[1:]), reversed(longest_below(grammar)), strict=False):
        products: dict[tuple[int, ...], np.ndarray] = {}
        levels.append([])
        for rules in of_symbols:
            total = sum(_product(levels[-2], rule, longest, products) for rule in rules)
            levels[-1].append(np.asarray(total) * weights.of_rule(len(rules)))
    return levels[::-1]


def _product(
    below: list[np.ndarray], rule: tuple[int, ...], longest: int, known: dict[tuple[int, ...], np.ndarray]
) -> np.ndarray:
    """The product of the spans of a right-hand side; products are shared between rules that begin alike."""
    if len(rule) == 1:
        return below[rule[0]]
    if rule not in known:
        left = _product(below, rule[:-1], longest, known)
        known[rule] = _banded_product(left, below[rule[-1]], (len(rule) - 1) * longest, longest)
    return known[rule]


def _banded_product(left: np.ndarray, right: np.ndarray, left_longest: int, right_longest: int) -> np.ndarray:
    """The product for [string, n + 1, n + 1], zero below the diagonal and further above it than the longest spans."""
    n_places = left.shape[1]
    product = np.zeros_like(left)
    for first in range(0, n_places, _BLOCK):
        middle = min(first + _BLOCK + left_longest, n_places)
        last = min(middle + right_longest, n_places)
        rows = left[:, first : first + _BLOCK, first:middle]
        product[:, first : first + _BLOCK, first:last] = rows @ right[:, first:middle, first:last]
    return product


def _reached(grammar: Grammar, spans: Spans, weights: _Weights, n_levels: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Go down `n_levels` from the root.

    Returns:
        [symbol of the last of these levels] of [string, n + 1]: weight of having produced the first k tokens, with the
        symbol next; and [string, n + 1]: weight of having produced a whole string of k tokens.
    """
    n_strings, n_places = spans[-1][0].shape[:2]
    reached = [np.zeros((n_strings, n_places))]
    reached[0][:, 0] = 1.0
    ended = np.zeros((n_strings, n_places))
    for level, of_symbols in enumerate(grammar.rules[:n_levels]):
        below = [np.zeros((n_strings, n_places)) for _ in spans[level]]
        for above, rules in zip(reached, of_symbols, strict=True):
            for rule in rules:
                flow = above * weights.of_rule(len(rules))
                for place, child in enumerate(rule):
                    below[child] += flow
                    if level == 0 or place < len(rule) - 1:
                        flow = (flow[:, None] @ spans[level][child])[:, 0]
                if level == 0:
                    ended += flow
        reached = below
    return reached, ended


def _batches(grammar: Grammar, strings: Strings) -> Iterator[tuple[list[int], np.ndarray]]:
    """Strings of similar length: their indices, and [string, n] indices of terminals, -1 for padding and other ids."""
    order = sorted(range(len(strings)), key=lambda index: len(strings[index]), reverse=True)
    n_matrices = sum(len(ids) for ids in grammar.ids) + 3 * max(len(ids) for ids in grammar.ids)
    while order:
        size = max(1, _BATCH_BYTES // (8 * n_matrices * (len(strings[order[0]]) + 1) ** 2))
        chosen, order = order[:size], order[size:]
        yield chosen, padded([_indices(grammar, strings[index]) for index in chosen], filling=-1)


def _indices(grammar: Grammar, string: Sequence[int] | np.ndarray) -> np.ndarray:
    known = np.asarray(grammar.terminals)
    ids = np.asarray(string, dtype=np.int64)
    order = np.argsort(known)
    places = order[np.searchsorted(known, ids, sorter=order).clip(max=known.size - 1)]
    return np.where(known[places] == ids, places, -1)


@cache
def _scale(grammar: Grammar) -> float:
    """About the factor by which the probability of a string falls with every token."""
    return math.exp(tree_entropy_nats(grammar) / mean_length(grammar))
