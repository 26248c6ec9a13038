"""What a low-rank change (LoRA) of a lab model changes, and how many numbers that are. No torch."""

from collections.abc import Iterable, Mapping

ADAPTED = ("q_proj", "k_proj", "v_proj")
EMBEDDING = "embed_tokens"
EMBEDDING_RANKS = 2
"""Rank of the embedding's change over that of the others, as in the retry data of Ye and others (2024)."""


def n_trained(shapes: Mapping[str, Iterable[int]], rank: int) -> int:
    """Numbers of a change of this rank: of a weight [n, m], rank · (n + m).

    Args:
        shapes: of a model's weights, by name.
        rank: of the change of maps.
    """
    ranks = dict.fromkeys(ADAPTED, rank) | {EMBEDDING: EMBEDDING_RANKS * rank}
    found = ((name.split("."), shape) for name, shape in shapes.items())
    return sum(
        ranks[module] * sum(shape) for (*_, module, last), shape in found if last == "weight" and module in ranks
    )
