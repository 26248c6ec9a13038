"""Attention of a lab model, in five kinds (see `LabConfig`).

Index conventions: b row, h head 1..H, i token that reads, j token that is read, d width.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from internal_physics.models.lab_architecture.configuration import LabConfig
from internal_physics.models.lab_architecture.parts import canon, map_to_stream


@dataclass(frozen=True)
class Places:
    """Where the tokens of a pass are.

    Attributes:
        positions: [t] or [b, t] position of each token; None for 0, 1, …
        padding: [b, j] True where a token is real; None where all are.
        wants_rows: whether attention rows are returned.
    """

    positions: torch.Tensor | None
    padding: torch.Tensor | None
    wants_rows: bool


class LabAttention(nn.Module):
    """Multi-head attention over the tokens of a row."""

    def __init__(self, config: LabConfig) -> None:
        super().__init__()
        d = config.hidden_size
        # Read once: a config of transformers looks every attribute up in Python code.
        self.kind, self.n_heads, self.head_width = config.attention, config.num_attention_heads, config.head_width
        self.has_queries, self.has_canon, self.n_distances = config.has_queries, "B" in config.canon, config.n_distances
        self.reads_both_ways, self.context = config.reads_both_ways, config.max_position_embeddings
        self.n_rotated, self.rotary_base = config.n_rotated, config.rotary_base
        if config.has_queries:
            self.q_proj = nn.Linear(d, d, bias=config.biases)
            self.k_proj = nn.Linear(d, d, bias=config.biases)
        self.v_proj = nn.Linear(d, d, bias=config.biases)
        self.o_proj = map_to_stream(d, d, bias=config.biases)
        if config.n_distances:
            self.position_bias = nn.Parameter(torch.empty(config.num_attention_heads, config.n_distances))
        self.canon_b = canon(config, "B", 3 * d if config.has_queries else d)

    def forward(self, x: torch.Tensor, places: Places) -> tuple[torch.Tensor, torch.Tensor | None]:
        """[b, t, d] → [b, t, d], and the attention rows [b, h, i, j] where they are asked for."""
        *query_key, value = self._heads(x)
        if places.wants_rows or not query_key:
            rows = self._rows(x, query_key, places)
            mixed = rows @ value
        else:
            rows, mixed = None, self._fused(query_key, value, places)
        out = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return out, rows if places.wants_rows else None

    def _heads(self, x: torch.Tensor) -> list[torch.Tensor]:
        """[b, h, t, d/h] each: queries and keys where there are some, and values."""
        maps = (self.q_proj, self.k_proj, self.v_proj) if self.has_queries else (self.v_proj,)
        parts = [linear(x) for linear in maps]
        if self.has_canon:
            parts = list(self.canon_b(torch.cat(parts, dim=-1)).chunk(len(parts), dim=-1))
        shape = (*x.shape[:2], self.n_heads, self.head_width)
        return [part.view(shape).transpose(1, 2) for part in parts]

    def _rows(self, x: torch.Tensor, query_key: list[torch.Tensor], places: Places) -> torch.Tensor:
        """[b, h, i, j] weights that sum to 1 over j; [1, h, i, j] where no row differs from another."""
        n = x.shape[1]
        if self.kind == "uniform":
            return _uniform(self.n_heads, n, places.padding, x)
        if query_key:
            query, key = self._rotated(query_key, places)
            scores = query @ key.transpose(2, 3) * self.head_width**-0.5
        else:
            scores = x.new_zeros(1, 1, n, n)
        added = self._added(n, places.padding, x)
        rows = (scores if added is None else scores + added).softmax(-1)
        return rows.expand(len(x), -1, -1, -1)

    def _fused(self, query_key: list[torch.Tensor], value: torch.Tensor, places: Places) -> torch.Tensor:
        """[b, h, i, d/h]; torch's own product without rows in memory."""
        query, key = self._rotated(query_key, places)
        is_plain = places.padding is None and not self.n_distances
        added = None if is_plain else self._added(value.shape[2], places.padding, value)
        if added is not None:
            added = added.expand(len(value), self.n_heads, -1, -1)
        causal = is_plain and not self.reads_both_ways
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=added, is_causal=causal)

    def _rotated(self, query_key: list[torch.Tensor], places: Places) -> list[torch.Tensor]:
        if self.kind != "rotary":
            return query_key
        cos, sin = _angles(query_key[0], self.n_rotated, self.rotary_base, places.positions)
        together = _turned(
            torch.cat(query_key, dim=1), cos, sin, self.n_rotated
        )  # heads of both, in half the operations
        return list(together.chunk(2, dim=1))

    def _added(self, n: int, padding: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor | None:
        """What is added to the scores: the number of each distance, and minus infinity where nothing may be read."""
        hidden = None if self.reads_both_ways else _later(n, like.device)
        if padding is not None:
            unreal = ~padding[:, None, None, :] & ~torch.eye(n, dtype=torch.bool, device=like.device)
            hidden = unreal if hidden is None else unreal | hidden
        if not self.n_distances:
            return None if hidden is None else like.new_zeros(hidden.shape).masked_fill(hidden, -torch.inf)
        middle = self.context - 1 if self.reads_both_ways else 0
        bias = self.position_bias[:, (_distances(n, like.device) + middle).clamp(min=0)][None]
        return bias if hidden is None else bias.masked_fill(hidden, -torch.inf)


@lru_cache(maxsize=64)
def _distances(n: int, device: torch.device) -> torch.Tensor:
    """[i, j] of i - j."""
    i = torch.arange(n, device=device)
    return i[:, None] - i


@lru_cache(maxsize=64)
def _later(n: int, device: torch.device) -> torch.Tensor:
    """[1, 1, i, j] True where j comes after i."""
    return (_distances(n, device) < 0)[None, None]


def _uniform(n_heads: int, n: int, padding: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """[b, h, i, j] equal weights of the real ones among the 2^h - 1 tokens up to i."""
    if padding is None:
        return _windows(n_heads, n, like.dtype, like.device).expand(len(like), -1, -1, -1)
    inside = (_windows(n_heads, n, like.dtype, like.device) > 0) & padding[:, None, None, :]
    inside = inside | torch.eye(n, dtype=torch.bool, device=like.device)
    return inside / inside.sum(-1, keepdim=True, dtype=like.dtype)


@lru_cache(maxsize=64)
def _windows(n_heads: int, n: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """[1, h, i, j] equal weights of the 2^h - 1 tokens up to i, fewer at the beginning."""
    distance = _distances(n, device)
    widths = 2 ** torch.arange(1, n_heads + 1, device=device)[:, None, None] - 1
    inside = ((distance >= 0) & (distance < widths)).to(dtype)
    return (inside / inside.sum(-1, keepdim=True))[None]


def _angles(
    like: torch.Tensor, n_rotated: int, base: float, positions: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines [..., t, n_rotated / 2], to be used with heads [b, h, t, d/h]."""
    if positions is None:
        return _table(like.shape[2], n_rotated, base, like.dtype, like.device)
    cos, sin = _cos_sin(positions, n_rotated, base, like.dtype)
    return (cos[:, None], sin[:, None]) if positions.ndim == 2 else (cos, sin)


@lru_cache(maxsize=64)
def _table(
    n: int, n_rotated: int, base: float, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    return _cos_sin(torch.arange(n, device=device), n_rotated, base, dtype)


def _cos_sin(
    positions: torch.Tensor, n_rotated: int, base: float, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    half = n_rotated // 2
    rates = base ** -(torch.arange(half, device=positions.device, dtype=torch.float64) / half)
    angles = positions[..., None].double() * rates
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, n_rotated: int) -> torch.Tensor:
    """The first `n_rotated` numbers of each head, turned in pairs (c, c + n_rotated / 2) by the position's angles."""
    half = n_rotated // 2
    a, b = x[..., :half], x[..., half:n_rotated]
    parts = [torch.addcmul(a * cos, b, sin, value=-1), torch.addcmul(a * sin, b, cos)]
    return torch.cat(parts if n_rotated == x.shape[-1] else [*parts, x[..., n_rotated:]], dim=-1)
