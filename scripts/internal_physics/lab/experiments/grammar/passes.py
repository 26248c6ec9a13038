"""Models of a grammar on strings of known trees: strings of one length run together, so that there is no padding.

Index conventions: b string, t token of its string, n token of all strings one after another, l residual, d width.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from internal_physics.lab.data.grammars.forest import Forest
from internal_physics.lab.data.grammars.training import FIRST_TERMINAL_ID
from internal_physics.lab.data.vocabulary import END_ID

_TOKENS_PER_PASS = 8192


@dataclass(frozen=True)
class SameLength:
    """Strings of one length.

    Attributes:
        trees: [b] their numbers in the forest.
        places: [b, t] where their tokens are among all tokens of the forest.
        rows: [b, 1 + t] the model's ids: `<eos>` and the string.
    """

    trees: np.ndarray
    places: np.ndarray
    rows: np.ndarray


def by_length(forest: Forest) -> Iterator[SameLength]:
    """The strings of a forest in groups of one length, at most some thousand tokens each."""
    ids = forest.terminals + FIRST_TERMINAL_ID
    starts = np.cumsum(forest.lengths) - forest.lengths
    for length in np.unique(forest.lengths):
        all_trees = np.flatnonzero(forest.lengths == length)
        n_parts = -(-all_trees.size * int(length + 1) // _TOKENS_PER_PASS)
        for trees in np.array_split(all_trees, n_parts):
            places = starts[trees][:, None] + np.arange(length)
            yield SameLength(trees, places, np.insert(ids[places], 0, END_ID, axis=1))


@torch.no_grad()
def next_token_logs(model: PreTrainedModel, forest: Forest) -> list[np.ndarray]:
    """[tree] of [t + 1, 1 + terminals]: ln of the model's probability that the string ends or goes on after a prefix.

    Float64; the model's probability of other ids is left where it is, so that rows may sum to a little less than 1.
    """
    found: list[np.ndarray] = [np.empty(0)] * forest.n_trees
    wanted = [END_ID, *range(FIRST_TERMINAL_ID, FIRST_TERMINAL_ID + len(forest.grammar.terminals))]
    for group in by_length(forest):
        logits = model(torch.as_tensor(group.rows, device=model.device)).logits
        logs = logits.double().log_softmax(-1)[..., wanted].cpu().numpy()
        for tree, of_tree in zip(group.trees, logs, strict=True):
            found[tree] = of_tree
    return found


@torch.no_grad()
def residuals(model: PreTrainedModel, forest: Forest) -> np.ndarray:
    """[l + 1, n, d] float32: every residual at every token of all strings."""
    found: np.ndarray | None = None
    for group in by_length(forest):
        ids = torch.as_tensor(group.rows, device=model.device)
        kept = torch.stack(model(ids, output_hidden_states=True).hidden_states)[:, :, 1:]  # [l + 1, b, t, d]
        if found is None:
            found = np.empty((kept.shape[0], forest.terminals.size, kept.shape[-1]), dtype=np.float32)
        found[:, group.places] = kept.cpu().numpy()
    assert found is not None  # a forest has a tree
    return found
