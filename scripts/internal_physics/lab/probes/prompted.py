"""A probe that may change how a frozen model reads, a little: of some words the embedding, then a linear map.

After Allen-Zhu and Li (2023). The changed embeddings say what is asked for, as a prompt would: a low-rank change of
words that many rows share. Words of which each row has its own stay as they are, because with few rows a change of
them would store the answers. The linear map reads the last residual, normed, and begins as the model's own rows of
the answers: few rows cannot teach a map of many classes from nothing.

Index conventions: b row, p place, d width, a question, c class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from internal_physics.ground.seeds import seed_of
from internal_physics.lab.data.batches import generator

_ROWS_PER_PASS = 64
_MAP_RATE = 0.1  # of the linear maps, as a share of that of the embeddings
_MAP_DECAY = 0.3


@dataclass(frozen=True)
class Reading:
    """Rows, where a probe reads them, and what it must tell.

    Attributes:
        tokens: int64 [b, t].
        places: int64 [b, p], the token at which the residual is read.
        labels: int64 [b, a], the class of each row for each question, the same at all places.
    """

    tokens: np.ndarray
    places: np.ndarray
    labels: np.ndarray

    def take(self, rows: np.ndarray) -> "Reading":
        """Some of the rows."""
        return Reading(self.tokens[rows], self.places[rows], self.labels[rows])


class PromptedProbe(nn.Module):
    """One probe for each question; each has a linear map for each place.

    Args:
        model: a lab model, which is frozen here.
        shared: int64, ids of the words whose embedding is changed, for each question by itself.
        answers: for each question the ids [c] of the words that the classes are.
        n_places: in a row.
        rank: of the change of embeddings.
        seed: of its first values.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        shared: np.ndarray,
        answers: Sequence[np.ndarray],
        *,
        n_places: int,
        rank: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._frozen: list[Any] = [model.eval().requires_grad_(False)]  # a list's weights are not the probe's
        table: Any = model.get_input_embeddings().weight
        draws = torch.Generator().manual_seed(seed_of(seed, "probe") % 2**63)
        width, size = table.shape[1], len(answers)
        drawn = torch.randn(size, rank, width, generator=draws) / width**0.5
        self.right = nn.Parameter(drawn.to(table.device))
        self.left = nn.Parameter(torch.zeros(size, len(shared), rank, device=table.device))
        head: Any = model.get_output_embeddings().weight
        own = [head[torch.as_tensor(ids, device=head.device)].detach() for ids in answers]
        self.maps = nn.ParameterList(rows.expand(n_places, -1, -1).clone() for rows in own)  # [p, c, d]
        self.biases = nn.ParameterList(torch.zeros(n_places, len(rows), device=table.device) for rows in own)
        number = torch.full((len(table),), len(shared), device=table.device)  # of a word in `shared`; past the end
        number[torch.as_tensor(shared, device=table.device)] = torch.arange(len(shared), device=table.device)
        self.register_buffer("number", number)

    def forward(self, tokens: torch.Tensor, places: torch.Tensor) -> list[torch.Tensor]:
        """[b, t] tokens and [b, p] places → for each question [b, p, c] scores."""
        (model,) = self._frozen
        n_questions = len(self.maps)
        changes = functional.pad(self.left @ self.right, (0, 0, 0, 1))  # [a, shared + 1, d]; none for other words
        read = model.get_input_embeddings()(tokens) + changes[:, self.get_buffer("number")[tokens]]  # [a, b, t, d]
        last = model.model(inputs_embeds=read.flatten(0, 1)).last_hidden_state.unflatten(0, (n_questions, -1))
        at = last[:, torch.arange(len(tokens), device=tokens.device)[:, None], places]  # [a, b, p, d]
        scores = zip(at, self.maps, self.biases, strict=True)
        return [torch.einsum("bpd,pcd->bpc", found, maps) + biases for found, maps, biases in scores]

    @torch.no_grad()
    def shares_right(self, reading: Reading) -> np.ndarray:
        """[p, a] share of rows whose class the probe tells."""
        device = self.left.device
        right = np.zeros((reading.places.shape[1], len(self.maps)))
        for first in range(0, len(reading.tokens), _ROWS_PER_PASS):
            part = reading.take(np.arange(first, min(first + _ROWS_PER_PASS, len(reading.tokens))))
            tokens, places = (torch.as_tensor(ids, device=device) for ids in (part.tokens, part.places))
            for question, scores in enumerate(self(tokens, places)):
                told = scores.argmax(-1).cpu().numpy()
                right[:, question] += (told == part.labels[:, question : question + 1]).sum(axis=0)
        return right / len(reading.tokens)


def fit_prompted_probe(
    probe: PromptedProbe, fitted: Reading, *, steps: int, rows: int, learning_rate: float, seed: int
) -> None:
    """Train a probe with AdamW, the rate falling along a line to 0.

    Args:
        probe: with its first values.
        fitted: what it is trained on.
        steps: of training.
        rows: drawn for each step.
        learning_rate: of the embeddings, the first; that of the maps is a tenth of it.
        seed: of the draws.
    """
    maps = [*probe.maps, *probe.biases]
    groups = [
        {"params": [probe.left, probe.right], "weight_decay": 0.0, "share": 1.0},
        {"params": maps, "weight_decay": _MAP_DECAY, "share": _MAP_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, eps=1e-6, foreach=True)
    device, draws = probe.left.device, generator(seed, "rows of a probe")
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group["share"] * (1 - step / steps)
        part = fitted.take(draws.integers(0, len(fitted.tokens), rows))
        tokens, places = (torch.as_tensor(ids, device=device) for ids in (part.tokens, part.places))
        labels = torch.as_tensor(part.labels, device=device)
        losses = [
            functional.cross_entropy(scores.flatten(0, 1), labels[:, question].repeat_interleave(scores.shape[1]))
            for question, scores in enumerate(probe(tokens, places))
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
