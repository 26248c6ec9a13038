"""Probes for the tree: can the symbol above a token, and the end of its subtree, be read off a residual?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from internal_physics.lab.data.grammars.forest import Forest
from internal_physics.lab.probes.linear import fit_linear_probe


@dataclass(frozen=True)
class Task:
    """What a probe must tell, at which tokens.

    Attributes:
        level: of the tree, 1 for the symbols below the root.
        target: "symbol": which symbol of the level is above the token, at the last token of its subtree;
            "boundary": whether a token is the last of its subtree, at every token.
        places: [n] tokens.
        labels: [n] classes.
        n_classes: how many there are.
    """

    level: int
    target: str
    places: np.ndarray
    labels: np.ndarray
    n_classes: int


@dataclass(frozen=True)
class Probed:
    """A probe's judgement on strings that it was not fitted on.

    Attributes:
        accuracy: share of tokens that it told right.
        majority: share that the commonest class of the fitted strings has there: what needs no residual.
        n_tokens: how many tokens were judged.
    """

    accuracy: float
    majority: float
    n_tokens: int


def tasks(forest: Forest) -> Iterator[Task]:
    """Both targets for all levels between root and terminals."""
    for level in range(1, forest.grammar.depth):
        ends = forest.ends(level)
        n_symbols = len(forest.grammar.ids[level])
        yield Task(level, "symbol", np.flatnonzero(ends), forest.ancestors(level)[ends], n_symbols)
        yield Task(level, "boundary", np.arange(ends.size), ends.astype(np.int64), 2)


def is_fitted_on(forest: Forest) -> np.ndarray:
    """[token] bool: whether a token is in the first half of the strings, on which probes are fitted."""
    return np.repeat(np.arange(forest.n_trees) < forest.n_trees // 2, forest.lengths)


def probe(features: np.ndarray, task: Task, is_fitted: np.ndarray) -> Probed:
    """Fit a linear probe on half of the strings, judge it on the others.

    Args:
        features: [token, d].
        task: what it must tell.
        is_fitted: [token], see `is_fitted_on`.
    """
    fitted = is_fitted[task.places]
    found = fit_linear_probe(features[task.places[fitted]], task.labels[fitted], task.n_classes)
    told = found.predict(features[task.places[~fitted]])
    return judged(told, task.labels[~fitted], task.labels[fitted])


def judged(told: np.ndarray, labels: np.ndarray, fitted_labels: np.ndarray) -> Probed:
    """What was told against the labels, beside the commonest of the fitted labels."""
    commonest = np.bincount(fitted_labels).argmax()
    return Probed(float(np.mean(told == labels)), float(np.mean(labels == commonest)), labels.size)
