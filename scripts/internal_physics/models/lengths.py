"""What a model does in another way beyond some length of its input, as transformers keeps it in config and modules."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Ranges:
    """Ranges of lengths within which prompts may run together.

    A model with `rope_type: longrope` (Phi-3 with a long context) takes one set of frequencies for all prompts of a
    pass, by the longest of them: short prompts would be given those of long ones. An indexer (DeepSeek V3.2) chooses
    the keys of a query among more than `index_topk`; many have the same score, 0, and which of those it takes depends
    on the padded length.

    Attributes:
        ends: the largest length of each range but the last, in tokens, ascending.
        alone_beyond: the largest length of a prompt that may run with others; None where there is no such limit.
    """

    ends: tuple[int, ...] = ()
    alone_beyond: int | None = None

    def allow(self, one: int, other: int) -> bool:
        """Whether prompts of these numbers of tokens may run together."""
        if self.alone_beyond is not None and max(one, other) > self.alone_beyond:
            return False
        return not any((one > end) != (other > end) for end in self.ends)


def ranges_of(module: nn.Module) -> Ranges:
    """The ranges of a model; one of all lengths for most.

    `rope_type: dynamic` has one range too: its frequencies change beyond max_position_embeddings, the longest prompt.
    """
    ends = {end for part in module.modules() for end in _ends(part)}
    chosen = [n for part in module.modules() if isinstance(n := getattr(part, "index_topk", None), int)]
    return Ranges(tuple(sorted(ends)), min(chosen, default=None))


def _ends(part: Any) -> Iterator[int]:
    """Where the frequencies of one module change; it may have some for each kind of layer."""
    kinds = getattr(part, "rope_type", None)
    settings = getattr(getattr(part, "config", None), "rope_parameters", None)
    if not isinstance(settings, dict):
        return
    if kinds == "longrope":
        yield int(settings["original_max_position_embeddings"])
    elif isinstance(kinds, dict):
        yield from (int(settings[of]["original_max_position_embeddings"]) for of in kinds if kinds[of] == "longrope")


def longest_dense(config: Any, task: str) -> int | None:
    """Most tokens among which every token attends to every other; None where there is no such limit.

    BigBird as a masked model attends in blocks to longer inputs (`attention_type: block_sparse`), until it is given a
    shorter one; from then on it attends to all. As a causal model it has no blocks.
    """
    n_random, size = (getattr(config, name, None) for name in ("num_random_blocks", "block_size"))
    if task != "masked" or getattr(config, "attention_type", None) != "block_sparse":
        return None
    return (5 + 2 * n_random) * size if isinstance(n_random, int) and isinstance(size, int) else None
