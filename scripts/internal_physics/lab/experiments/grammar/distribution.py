"""How far a model's next-token distribution is from the grammar's, and what it writes by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from internal_physics.lab.data.grammars.exact import are_strings, log_probabilities_nats, prefixes
from internal_physics.lab.data.grammars.forest import Forest
from internal_physics.lab.data.grammars.laws import length_bounds
from internal_physics.lab.data.grammars.training import FIRST_TERMINAL_ID
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.grammar.passes import next_token_logs
from internal_physics.lab.models.run import continue_rows, token_losses_nats


@dataclass(frozen=True)
class Generated:
    """Strings that a model finished.

    Attributes:
        n: how many.
        accuracy: share that is a string of the grammar from its first to its last token.
        n_distinct: how many different strings there are among them.
        n_distinct_grammar: how many there are among as many strings of the grammar itself.
        entropy_nats: mean of -ln of the model's probability of what it added; a model that repeats itself has little.
        grammar_entropy_nats: the same of the grammar, over the strings whose beginnings were given.
    """

    n: int
    accuracy: float
    n_distinct: int
    n_distinct_grammar: int
    entropy_nats: float
    grammar_entropy_nats: float


def divergences_nats(model: PreTrainedModel, forest: Forest) -> list[np.ndarray]:
    """[tree] of [t + 1]: KL(grammar ‖ model) of the next token after every prefix, the empty one first; each ≥ 0."""
    exact = prefixes(forest.grammar, forest.strings())
    found = []
    for of_grammar, logs in zip(exact, next_token_logs(model, forest), strict=True):
        p = of_grammar.next_tokens
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - logs), 0.0)
        found.append(np.maximum(terms.sum(axis=1), 0.0))  # below 0 by rounding only
    return found


def mean_divergence_nats(divergences: Sequence[np.ndarray], cut: int) -> float:
    """Mean over all prefixes of at least `cut` tokens; NaN if no string is so long."""
    chosen = np.concatenate([of_string[cut:] for of_string in divergences])
    return float(chosen.mean()) if chosen.size else float("nan")


def generate(model: PreTrainedModel, forest: Forest, cut: int, n: int, seed: int) -> Generated | None:
    """Let a model finish `n` strings of a forest after their first `cut` tokens, at temperature 1.

    A string that goes on beyond the longest of the grammar is cut off there, and is none of the grammar's.
    None if no string of the forest is longer than the cut.
    """
    trees = np.flatnonzero(forest.lengths > cut)[:n]
    if not trees.size:
        return None
    prompts = _beginnings(forest, trees, cut)
    new = continue_rows(model, prompts, length_bounds(forest.grammar)[1] + 1 - cut, seed=seed)
    rows = np.hstack([prompts, new])
    losses = token_losses_nats(model, rows)[:, cut + 1 :]
    is_written = np.cumsum(new == END_ID, axis=1) - (new == END_ID) == 0  # up to the first end, which counts
    whole = [string for row in rows if (string := _string(row[1:], forest)) is not None]
    given = [string for tree, string in enumerate(forest.strings()) if tree in set(trees)]
    return Generated(
        n=trees.size,
        accuracy=float(are_strings(forest.grammar, whole).sum() / trees.size),
        n_distinct=len({row.tobytes() for row in rows}),
        n_distinct_grammar=len({string.tobytes() for string in given}),
        entropy_nats=float((losses * is_written).sum(axis=1).mean()),
        grammar_entropy_nats=_surprise_after(forest, given, cut),
    )


def _beginnings(forest: Forest, trees: np.ndarray, cut: int) -> np.ndarray:
    """[tree, 1 + cut] `<eos>` and the first tokens of strings, as ids of the model."""
    starts = (np.cumsum(forest.lengths) - forest.lengths)[trees]
    tokens = forest.terminals[starts[:, None] + np.arange(cut)] + FIRST_TERMINAL_ID
    return np.insert(tokens, 0, END_ID, axis=1)


def _string(row: np.ndarray, forest: Forest) -> tuple[int, ...] | None:
    """The ids of the grammar up to the end of a row; None without an end, or with a word that is no terminal."""
    ends = np.flatnonzero(row == END_ID)
    if not ends.size:
        return None
    places = row[: ends[0]] - FIRST_TERMINAL_ID
    terminals = forest.grammar.terminals
    return tuple(terminals[place] for place in places) if (places >= 0).all() else None


def _surprise_after(forest: Forest, strings: Sequence[np.ndarray], cut: int) -> float:
    """Mean over strings of -ln of the grammar's probability of what follows the first `cut` tokens."""
    whole = log_probabilities_nats(forest.grammar, strings)
    if cut == 0:
        return float(-whole.mean())
    begun = [found.log_probability_nats[cut] for found in prefixes(forest.grammar, [s[:cut] for s in strings])]
    return float((np.array(begun) - whole).mean())
