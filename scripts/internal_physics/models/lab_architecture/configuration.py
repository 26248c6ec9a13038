"""The config of a lab model, as its config.json holds it. No torch."""

import math
from typing import Any, Literal, get_args

from transformers import PreTrainedConfig

from internal_physics.ground.errors import ModelError
from internal_physics.models.lab_architecture.shape import Shape, n_rotated, unsound

MODEL_TYPE = "internal_physics_lab"
AttentionKind = Literal["absolute", "rotary", "relative", "position_only", "uniform"]
Mlp = Literal["plain", "gated"]
Activation = Literal["gelu", "silu", "relu_squared"]
Norm = Literal["layer", "rms"]


class LabConfig(PreTrainedConfig):
    """Shape and parts of a lab model.

    Attributes:
        attention: how a token chooses what it reads.
            - absolute: scores of queries and keys; a table of positions is added to the embedding.
            - rotary: scores of rotated queries and keys.
            - relative: scores of queries and keys, plus a learned number for each head and distance.
            - position_only: softmax of a learned number for each head and distance; no queries or keys.
            - uniform: head h = 1..H gives equal weight to the token itself and the 2^h - 2 before it; not learned.
        mlp: plain (two maps) or gated (three).
        activation: of the MLP.
        norm: layer (LayerNorm) or rms (RMSNorm), before attention, before the MLP and before the head.
        norm_gains: whether the first two of them have learned gains.
        canon: where short convolutions along the tokens are added; any of A (before attention), B (on queries, keys and
            values), C (before the MLP) and D (inside the MLP).
        reads_both_ways: whether a token sees later ones, as in a masked model.
        biases: whether linear maps have biases.
        rotary_base, rotary_share: base of the angles, and the share of a head's width that is rotated.
        initial_std: standard deviation of the first weights; 0 for 1/sqrt(hidden_size).
        embedding_std: that of the embeddings; 0 for that of all weights.
        zero_outputs: whether maps that write to the stream, and a head that is not tied, begin at zero.
    """

    model_type = MODEL_TYPE

    def __init__(
        self,
        *,
        vocab_size: int = 64,
        hidden_size: int = 32,
        num_hidden_layers: int = 2,
        num_attention_heads: int = 2,
        intermediate_size: int = 128,
        max_position_embeddings: int = 128,
        attention: str = "rotary",
        mlp: str = "plain",
        activation: str = "gelu",
        norm: str = "layer",
        norm_eps: float = 1e-5,
        norm_gains: bool = True,
        canon: str = "",
        biases: bool = True,
        reads_both_ways: bool = False,
        rotary_base: float = 10000.0,
        rotary_share: float = 1.0,
        initial_std: float = 0.0,
        embedding_std: float = 0.0,
        zero_outputs: bool = False,
        tie_word_embeddings: bool = True,
        pad_token_id: int | None = 1,
        bos_token_id: int | None = 0,
        eos_token_id: int | None = 0,
        **others: Any,
    ) -> None:
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_hidden_layers, self.num_attention_heads = num_hidden_layers, num_attention_heads
        self.intermediate_size, self.max_position_embeddings = intermediate_size, max_position_embeddings
        self.attention, self.mlp, self.activation = attention, mlp, activation
        self.norm, self.norm_eps, self.norm_gains = norm, norm_eps, norm_gains
        self.canon, self.biases = canon, biases
        self.reads_both_ways = reads_both_ways
        self.rotary_base, self.rotary_share = rotary_base, rotary_share
        self.initial_std, self.embedding_std = initial_std, embedding_std
        self.zero_outputs, self.tie_word_embeddings = zero_outputs, tie_word_embeddings
        self.pad_token_id, self.bos_token_id, self.eos_token_id = pad_token_id, bos_token_id, eos_token_id
        super().__init__(**others)

    @property
    def head_width(self) -> int:
        """Numbers of one head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def n_rotated(self) -> int:
        """How many numbers of a head are rotated; even."""
        return n_rotated(self.head_width, self.rotary_share)

    @property
    def has_queries(self) -> bool:
        """Whether attention depends on what the tokens are."""
        return self.attention in ("absolute", "rotary", "relative")

    @property
    def n_distances(self) -> int:
        """Columns of a head's table of distances; 0 without one. Read both ways, the distance 0 is in the middle."""
        if self.attention not in ("relative", "position_only"):
            return 0
        return 2 * self.max_position_embeddings - 1 if self.reads_both_ways else self.max_position_embeddings

    @property
    def std(self) -> float:
        """Standard deviation of the first weights."""
        return self.initial_std or 1 / math.sqrt(self.hidden_size)


def require_sound(config: LabConfig) -> None:
    """Refuse a config that describes no model.

    Raises:
        ModelError: naming the entry and what it may be.
    """
    for entry, kinds in (("attention", AttentionKind), ("mlp", Mlp), ("activation", Activation), ("norm", Norm)):
        if getattr(config, entry) not in get_args(kinds):
            raise _refused(entry, getattr(config, entry), ", ".join(get_args(kinds)))
    width, heads = config.hidden_size, config.num_attention_heads
    shape = Shape(
        width, heads, config.attention, config.canon, config.rotary_share, masked=bool(config.reads_both_ways)
    )
    if found := unsound(shape):
        entry = _ENTRIES.get(found.entry, found.entry)
        raise _refused(entry, getattr(config, entry), found.expected)


_ENTRIES = {"heads": "num_attention_heads"}  # of a shape, as transformers calls them


def _refused(entry: str, value: object, expected: str) -> ModelError:
    return ModelError(f"{entry} is {value!r}", where="config of a lab model", expected=expected)
