"""A grammar of levels: every rule leads from a symbol of one level to symbols of the next.

Level 0 is the root and the last level are the terminals. A symbol has an id, which is how people name it, and an index
in its level, which is how the code names it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from internal_physics.ground.errors import ConfigError

Rule = tuple[int, ...]  # the symbols of a right-hand side, as indices in the next level
Rules = tuple[tuple[tuple[Rule, ...], ...], ...]  # of each level but the last, of each symbol: its right-hand sides


@dataclass(frozen=True)
class Grammar:
    """A context-free grammar whose derivations are trees of equal depth.

    A symbol takes each of its right-hand sides with equal probability, whatever happened elsewhere in the tree.

    Attributes:
        name: of the grammar; it names files.
        ids: [level][symbol] the symbols' ids; one at the root, positive, all distinct.
        rules: [level][symbol][rule] the right-hand sides of all but the terminals.
        first_level: what people call the level of the root: 1, or more for a part of a larger grammar.
    """

    name: str
    ids: tuple[tuple[int, ...], ...]
    rules: Rules
    first_level: int = 1

    def __post_init__(self) -> None:
        problem = next(_problems(self.ids, self.rules), "")
        if problem:
            raise ConfigError(problem, where=f"grammar {self.name}", expected="rules from each level to the next")

    @property
    def depth(self) -> int:
        """Number of levels with rules: a terminal is `depth` steps below the root."""
        return len(self.rules)

    @property
    def terminals(self) -> tuple[int, ...]:
        """Ids of the terminals."""
        return self.ids[-1]

    @property
    def words(self) -> tuple[str, ...]:
        """The terminals as words of a vocabulary."""
        return tuple(str(terminal) for terminal in self.terminals)

    def level_name(self, level: int) -> str:
        """`root`, `NT2`, ... of a level 0..depth, counted as in the larger grammar; `terminals` for the last."""
        if level == self.depth:
            return "terminals"
        return "root" if level == 0 else f"NT{self.first_level + level}"

    def rooted_at(self, symbol: int) -> "Grammar":
        """The part of the grammar below one symbol, as a grammar of its own that keeps ids and names of levels.

        Raises:
            ConfigError: the symbol has no rules or is not in the grammar.
        """
        for level, ids in enumerate(self.ids[:-1]):
            if symbol in ids:
                rules = (self.rules[level][ids.index(symbol)],)
                return Grammar(
                    f"{self.name}-{symbol}",
                    ((symbol,), *self.ids[level + 1 :]),
                    (rules, *self.rules[level + 1 :]),
                    self.first_level + level,
                )
        with_rules = [symbol for level in self.ids[:-1] for symbol in level]
        raise ConfigError(
            f"no rules for symbol {symbol}",
            where=f"root of grammar {self.name}",
            expected=f"one of {', '.join(map(str, with_rules))}",
            todo="choose one of these symbols, or take the whole grammar",
        )


def _problems(ids: Sequence[Sequence[int]], rules: Rules) -> Iterator[str]:
    """What is wrong with a grammar, if anything; the first problem first."""
    symbols = [symbol for level in ids for symbol in level]
    if len(ids) < 2 or len(ids[0]) != 1:
        yield f"{len(ids)} levels, with {len(ids[0]) if ids else 0} symbols at the root"
    if len(set(symbols)) < len(symbols) or min(symbols, default=0) < 1:
        yield "ids that are not positive or not distinct"
    if len(rules) != len(ids) - 1:
        yield f"rules for {len(rules)} levels, with {len(ids)} levels"
    for level, of_symbols in enumerate(rules[: len(ids) - 1]):
        if len(of_symbols) != len(ids[level]):
            yield f"rules for {len(of_symbols)} of {len(ids[level])} symbols in level {level}"
        for symbol, choices in zip(ids[level], of_symbols, strict=False):
            n_below = len(ids[level + 1])
            if not choices or not all(choice and all(0 <= child < n_below for child in choice) for choice in choices):
                yield f"symbol {symbol} has no right-hand side, or one that is empty or leaves the next level"
