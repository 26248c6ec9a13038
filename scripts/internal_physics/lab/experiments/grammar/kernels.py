"""The kernel of tokens against labels: do gradients follow the symbols above a token, which no word names?"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from internal_physics.families.kernel.parts import cosine_kernel
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.grammars.forest import Forest, sample_forest
from internal_physics.lab.data.grammars.training import FIRST_TERMINAL_ID
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.grammar.data import grammar_of
from internal_physics.lab.kernels.study import Number, Scalar, Study
from internal_physics.lab.kernels.tables import ALIGNMENT, DEBIASED
from internal_physics.lab.models.masked import is_masked
from internal_physics.statistics.alignment import centred_alignment, debiased_alignment

N_STRINGS, MOST_TOKENS = 150, 96


def study(trained: Trained) -> Study | None:
    """The next token after ends of subtrees; None for a masked model, which has none, and without levels between.

    It is the same word everywhere, because gradients of different words hardly share a direction, whatever is above.
    """
    grammar = grammar_of(trained.data)
    if is_masked(trained.snapshots[trained.last_step]) or grammar.depth < 2:
        return None
    draws = generator(trained.seed, "strings of the kernel")
    forest = sample_forest(grammar, N_STRINGS, draws)
    tokens = _tokens(forest, max(1, grammar.depth - 2), draws)
    labels = labels_of(forest, tokens)
    return Study(_scalars(forest, tokens), lambda kernel: _alignments(kernel, labels))


def _tokens(forest: Forest, level: int, draws: np.random.Generator) -> np.ndarray:
    """Some tokens that end a subtree of the level within their string and are followed by the commonest such word."""
    may = np.flatnonzero(forest.ends(level) & ~forest.ends(0))
    following = forest.terminals[may + 1]
    chosen = may[following == np.bincount(following).argmax()]
    return np.sort(draws.permutation(chosen)[:MOST_TOKENS])


def labels_of(forest: Forest, tokens: np.ndarray) -> Mapping[str, np.ndarray]:
    """Level → [token] the symbol whose subtree ends there, for all levels at which all of the tokens are ends."""
    grammar = forest.grammar
    levels = [level for level in range(1, grammar.depth) if forest.ends(level)[tokens].all()]
    return {grammar.level_name(level): forest.ancestors(level)[tokens] for level in levels}


def _scalars(forest: Forest, tokens: np.ndarray) -> list[Scalar]:
    ids = forest.terminals + FIRST_TERMINAL_ID
    starts = np.cumsum(forest.lengths) - forest.lengths
    begins = starts[np.searchsorted(starts, tokens, side="right") - 1]
    return [
        Scalar(np.insert(ids[begin : token + 1], 0, END_ID), int(ids[token + 1]))
        for begin, token in zip(begins, tokens, strict=True)
    ]


def _alignments(kernel: NDArray[np.float64], labels: Mapping[str, np.ndarray]) -> Iterator[Number]:
    cosines = cosine_kernel(kernel)
    for name, of_tokens in labels.items():
        same = (of_tokens[:, None] == of_tokens).astype(np.float64)
        yield Number(ALIGNMENT, name, centred_alignment(cosines, same))
        yield Number(DEBIASED, name, debiased_alignment(cosines, same))
