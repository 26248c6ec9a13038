"""Where attention goes beyond what places alone explain.

Index conventions: j the token that reads, i the token that is read, both counted without the `<eos>` at the start; A
the attention of j to i, a mean over heads. From A, its mean over all strings for the same pair of places is subtracted:
what is left, B, knows something of the string. Uniform attention leaves exactly nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from internal_physics.lab.data.grammars.forest import Forest
from internal_physics.lab.experiments.grammar.passes import by_length

SHIFTS = (-2, -1, 0, 1, 2)
DISTANCES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Excess:
    """Mean B over the pairs of one kind.

    Attributes:
        block: of the model.
        level: of the tree.
        kind: "to_end": i + offset is the last token of its subtree; "between_ends": i is, j is, at this level and at no
            level nearer to the root, and j's subtree is `offset` after i's.
        offset: see `kind`.
        attention: mean B; NaN without pairs.
        n_pairs: how many pairs i < j (i ≤ j for `between_ends`) it is a mean of.
    """

    block: int
    level: int
    kind: str
    offset: int
    attention: float
    n_pairs: int


@torch.no_grad()
def beyond_places(model: PreTrainedModel, forest: Forest) -> np.ndarray:
    """[block, string, j, i] B in float64; NaN where a string has no such tokens, and where i comes after j."""
    longest = int(forest.lengths.max())
    found: np.ndarray | None = None
    for group in by_length(forest):
        attentions = model(torch.as_tensor(group.rows, device=model.device), output_attentions=True).attentions
        means = torch.stack(list(attentions)).double().mean(dim=2)[..., 1:, 1:].cpu().numpy()  # [block, b, j, i]
        if found is None:
            found = np.full((means.shape[0], forest.n_trees, longest, longest), np.nan)
        n = means.shape[-1]
        found[:, group.trees, :n, :n] = means
    assert found is not None  # a forest has a tree
    found[..., np.triu(np.ones((longest, longest), dtype=bool), 1)] = np.nan
    counts = np.isfinite(found[0]).sum(axis=0)  # [j, i]
    return found - np.nansum(found, axis=1, keepdims=True) / np.where(counts > 0, counts, 1)


def excesses(beyond: np.ndarray, forest: Forest) -> Iterator[Excess]:
    """All kinds of pairs, for every block and every level between root and terminals."""
    boundaries = _by_string(forest.boundaries(), forest, forest.grammar.depth)
    for level in range(1, forest.grammar.depth):
        for shift in SHIFTS:
            yield from _means(beyond, _to_end(boundaries <= level, shift), level, "to_end", shift)
        subtrees = _by_string(forest.subtrees(level), forest, -1)
        is_end = boundaries == level
        for distance in DISTANCES:
            pairs = is_end[:, :, None] & is_end[:, None, :]
            pairs &= subtrees[:, :, None] - subtrees[:, None, :] == distance
            yield from _means(beyond, pairs, level, "between_ends", distance)


def _to_end(is_end: np.ndarray, shift: int) -> np.ndarray:
    """[string, j, i] bool: token i + shift of the string is an end, and i is before j."""
    n = is_end.shape[1]
    moved = np.zeros_like(is_end)
    low, high = max(0, -shift), min(n, n - shift)
    moved[:, low:high] = is_end[:, low + shift : high + shift]
    return moved[:, None, :] & np.tril(np.ones((n, n), dtype=bool), -1)


def _means(beyond: np.ndarray, pairs: np.ndarray, level: int, kind: str, offset: int) -> Iterator[Excess]:
    chosen = pairs & np.isfinite(beyond[0])
    n_pairs = int(chosen.sum())
    for block, of_block in enumerate(beyond):
        value = float(of_block[chosen].mean()) if n_pairs else float("nan")
        yield Excess(block, level, kind, offset, value, n_pairs)


def _by_string(values: np.ndarray, forest: Forest, fill: int) -> np.ndarray:
    """[string, token] from [token of all strings], filled after the end of a string."""
    columns = np.arange(int(forest.lengths.max()))
    found = np.full((forest.n_trees, columns.size), fill)
    found[columns < forest.lengths[:, None]] = values
    return found
