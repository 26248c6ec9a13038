"""One string at a time, in the order of draws that published samples have.

`forest.sample_forest` draws the same distribution a hundred times faster, in another order.
"""

import random

from internal_physics.lab.data.grammars.grammar import Grammar


def sample_string(grammar: Grammar, rng: random.Random) -> list[int]:
    """Ids of the terminals of one random string.

    Symbols are expanded depth first and from left to right. Each takes `rng.randint(0, n - 1)` as its right-hand side.
    """
    tokens: list[int] = []
    waiting = [(0, 0)]  # level and symbol, the next one last
    while waiting:
        level, symbol = waiting.pop()
        if level == grammar.depth:
            tokens.append(grammar.terminals[symbol])
            continue
        choices = grammar.rules[level][symbol]
        chosen = choices[rng.randint(0, len(choices) - 1)]
        waiting.extend((level + 1, child) for child in reversed(chosen))
    return tokens
