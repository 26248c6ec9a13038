"""Random grammars: the shape is given, the rules are drawn."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.grammars.grammar import Grammar, Rule


@dataclass(frozen=True)
class GrammarShape:
    """What is drawn when a random grammar is built.

    Attributes:
        sizes: number of symbols of each level; 1 at the root, the terminals last.
        rules_per_symbol: fewest and most right-hand sides of a symbol; the number is drawn uniformly.
        rule_length: fewest and most symbols of a right-hand side; the number is drawn uniformly.
        repeats_symbols: whether a symbol may be in a right-hand side twice.
        repeats_rules: whether two right-hand sides of a level may be equal; if not, a right-hand side tells its symbol.
    """

    sizes: tuple[int, ...]
    rules_per_symbol: tuple[int, int]
    rule_length: tuple[int, int] = (2, 3)
    repeats_symbols: bool = True
    repeats_rules: bool = False


# The shapes of the grammars in the literature. The rules of cfg3b and cfg3f are in files of their own.
GRAMMAR_SHAPES = {
    "cfg3b": GrammarShape((1, 3, 3, 3, 3, 3, 3), (2, 2), repeats_symbols=False),
    "cfg3i": GrammarShape((1, 3, 3, 3, 3, 3, 3), (2, 2)),
    "cfg3h": GrammarShape((1, 3, 3, 3, 3, 3, 3), (2, 3)),
    "cfg3g": GrammarShape((1, 3, 3, 3, 3, 3, 3), (3, 3)),
    "cfg3f": GrammarShape((1, 3, 3, 3, 3, 3, 3), (3, 4)),
    "cfg3e1": GrammarShape((1, 3, 9, 27, 81, 27, 9), (3, 3)),
    "cfg3e2": GrammarShape((1, 3, 9, 27, 27, 9, 4), (3, 3)),
    "cfg3j": GrammarShape((1, 3, 3, 3, 3, 3, 3, 3), (3, 3)),
    "cfg3k": GrammarShape((1, 3, 3, 3, 3, 3, 3, 3), (3, 4)),
}


def build_grammar(shape: GrammarShape, seed: int, name: str = "") -> Grammar:
    """A random grammar of a shape. Its rules are not those of a published grammar of the same shape.

    Ids are counted from the terminals, 1..n; three ids are left free; then level by level up to the root.

    Args:
        shape: what is drawn.
        seed: the same seed gives the same grammar.
        name: of the grammar; `random-SEED` when not given.

    Raises:
        ConfigError: the shape asks for more distinct right-hand sides than there are, or is no shape of a grammar.
    """
    _check(shape)
    rules = []
    for level, (n_symbols, n_below) in enumerate(zip(shape.sizes, shape.sizes[1:], strict=False)):
        rng = generator(seed, "rules of a random grammar", str(level))
        numbers = rng.integers(shape.rules_per_symbol[0], shape.rules_per_symbol[1] + 1, n_symbols)
        rules.append(_rules_of_level(shape, numbers, n_below, rng))
    return Grammar(name or f"random-{seed}", _ids(shape.sizes), tuple(rules))


def _rules_of_level(
    shape: GrammarShape, numbers: np.ndarray, n_below: int, rng: np.random.Generator
) -> tuple[tuple[Rule, ...], ...]:
    taken: set[Rule] = set()
    free = {
        length: [rule for rule in product(range(n_below), repeat=length) if _is_allowed(rule, shape)]
        for length in range(shape.rule_length[0], shape.rule_length[1] + 1)
    }
    symbols = []
    for number in numbers:
        drawn: list[Rule] = []
        while len(drawn) < number:
            lengths = [length for length in free if free[length]]
            if not lengths:
                raise ConfigError(f"{len(taken)} distinct right-hand sides are not enough", where="shape of a grammar")
            choices = free[lengths[rng.integers(len(lengths))]]
            rule = choices[rng.integers(len(choices))]
            drawn.append(rule)
            taken.add(rule)
            if not shape.repeats_rules:
                choices.remove(rule)
        symbols.append(tuple(drawn))
    return tuple(symbols)


def _is_allowed(rule: Rule, shape: GrammarShape) -> bool:
    return shape.repeats_symbols or len(set(rule)) == len(rule)


def _ids(sizes: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """[level][symbol]: terminals from 1, the level above from n_terminals + 4, and so on up to the root."""
    ids, first = [tuple(range(1, sizes[-1] + 1))], sizes[-1] + 4
    for size in reversed(sizes[:-1]):
        ids.append(tuple(range(first, first + size)))
        first += size
    return tuple(reversed(ids))


def _check(shape: GrammarShape) -> None:
    for low, high in (shape.rules_per_symbol, shape.rule_length):
        if not 1 <= low <= high:
            raise ConfigError(f"a range from {low} to {high}", where="shape of a grammar", expected="1 ≤ low ≤ high")
    if len(shape.sizes) < 2 or shape.sizes[0] != 1 or min(shape.sizes) < 1:
        raise ConfigError(
            f"sizes {shape.sizes}", where="shape of a grammar", expected="one symbol at the root, and one or more below"
        )
