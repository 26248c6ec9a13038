"""How large a pass over prompts is, known before a tokenizer has read them. No heavy imports."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from internal_physics.models.checkpoint import CONFIG, read_config

_BYTES_PER_TOKEN = 3  # of a text: few tokenizers have shorter tokens on average
_SPECIAL_TOKENS = 2
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_EXPERTS_PER_TOKEN = (
    *("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k", "moe_k", "top_k_experts"),
    *("experts_per_token",),
)
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")


@dataclass(frozen=True)
class Pass:
    """A forward and backward pass, and what is kept of it.

    Attributes:
        n_tokens: padding included.
        longest: tokens of its longest prompt.
        copies: how often the inputs and outputs of the linear maps are in memory: once for the backward pass, and once
            more where they are recorded; a share of that where blocks are computed again.
        n_rows: attention rows that are kept for each token, over all blocks and heads.
    """

    n_tokens: int
    longest: int
    copies: float = 2.0
    n_rows: int = 0

    @property
    def attention_rows(self) -> int:
        """Numbers in the attention rows of a token."""
        return self.n_rows * self.longest


DEFAULT_PASS = Pass(256, 32)  # where nothing is known of the prompts


def largest_pass(
    texts: Iterable[str],
    *,
    batch_size: int,
    batch_tokens: int,
    recorded: bool = True,
    recompute: bool = False,
    n_layers: int = 1,
    n_rows: int = 0,
) -> Pass:
    """The largest pass over some texts, whose tokens are guessed from their length.

    Args:
        texts: what is run.
        batch_size: most prompts of a pass.
        batch_tokens: most tokens of a pass; a longer prompt runs alone.
        recorded: whether inputs and outputs of the linear maps are kept (weight_gradients: factors).
        recompute: whether blocks are computed again, of which one at a time is in memory.
        n_layers: L, number of blocks.
        n_rows: attention rows of a token, blocks times heads; 0 where they are not kept.
    """
    longest = max((len(text.encode()) // _BYTES_PER_TOKEN + _SPECIAL_TOKENS for text in texts), default=0)
    n_tokens = max(longest, min(batch_size * longest, batch_tokens))
    kept = 1 / max(n_layers, 1) if recompute else 1.0
    return Pass(n_tokens, longest, kept + recorded, n_rows)


def blocks_and_heads(snapshot: str | Path) -> tuple[int, int]:
    """Blocks and attention heads of a model as its config says; (1, 0) where it says neither, or is not there yet.

    Raises:
        SourceError: for a config that cannot be read.
    """
    return _said(snapshot, _LAYERS) or 1, _said(snapshot, _HEADS) or 0


def experts_per_token(snapshot: str | Path) -> int | None:
    """How many experts a token is routed to, as the model's config says; None where it does not, or is not there yet.

    Raises:
        SourceError: for a config that cannot be read.
    """
    return _said(snapshot, _EXPERTS_PER_TOKEN)


def _said(snapshot: str | Path, names: tuple[str, ...]) -> int | None:
    """The first whole number that the config of the language model has under one of these names."""
    config = read_config(snapshot) if (Path(snapshot) / CONFIG).is_file() else {}
    inner = config.get("text_config")
    config = inner if isinstance(inner, dict) else config
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)
