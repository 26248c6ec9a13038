"""Probes that ask a frozen model a question about a parameter.

Only a low-rank change of the embedding and a linear map of the residual at `[END]` are trained, so that what the
probe finds is in the model, or in how its parts treat the question. The same probe on a model with random weights says
how much that is without training.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from internal_physics.lab.data.padding import padded

_WARM_STEPS = 30
_EMBEDDING_SCALE = 4.0
_ROWS_PER_PASS = 128


class Question(Protocol):
    """A question in words of the model's language, and its answer."""

    @property
    def tokens(self) -> list[int]:
        """All that the model is given; the probe reads it at the last one."""

    @property
    def answer(self) -> int:
        """The right one, from 0."""


class ProbeOptions(Protocol):
    """How a probe is trained: rank of the change of the embedding, steps, questions of a step, first learning rate."""

    @property
    def probe_rank(self) -> int: ...  # noqa: D102
    @property
    def probe_steps(self) -> int: ...  # noqa: D102
    @property
    def probe_items(self) -> int: ...  # noqa: D102
    @property
    def probe_learning_rate(self) -> float: ...  # noqa: D102


class Probe(nn.Module):
    """The trained part of a probe, and the frozen model, in a tuple so that it is no part of the probe.

    Args:
        model: a lab model, which is frozen here.
        rank: of the change of the embedding.
        seed: of its first values.
        n_answers: classes of the linear map.
        layer: after which block the residual is read, 1 for the first; None for the last. The model's last norm brings
            it to size wherever it is read.
    """

    frozen: tuple[Any]

    def __init__(
        self, model: PreTrainedModel, rank: int, seed: int, *, n_answers: int = 2, layer: int | None = None
    ) -> None:
        super().__init__()
        n_words, width = model.config.vocab_size, model.config.hidden_size
        draws = torch.Generator().manual_seed(seed)
        self.left = nn.Parameter(torch.zeros(n_words, rank))
        self.right = nn.Parameter(torch.randn(rank, width, generator=draws) * width**-0.5)
        self.weights = nn.Parameter((torch.rand(n_answers, width, generator=draws) * 2 - 1) * width**-0.5)
        self.biases = nn.Parameter(torch.zeros(n_answers))
        self.frozen = (model.requires_grad_(False),)
        self.layer = layer
        self.to(model.device)

    def forward(self, tokens: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """[b, answers] scores; tokens [b, t] are padded after place `last` [b]."""
        (model,) = self.frozen
        embedded = model.get_input_embeddings()(tokens) + self.left[tokens] @ self.right * _EMBEDDING_SCALE
        output = model.model(inputs_embeds=embedded, output_hidden_states=self.layer is not None)
        rows = torch.arange(len(last), device=last.device)
        if self.layer is None:
            read = output.last_hidden_state[rows, last]
        else:
            read = model.model.norm(output.hidden_states[self.layer][rows, last])
        return functional.linear(read, self.weights, self.biases)


def train_probe(probe: Probe, asked: Iterator[Question], options: ProbeOptions) -> Probe:
    """Train a probe of a frozen model on fresh questions, its rate rising first and then falling along a line to 0.

    Args:
        probe: with its first values; it has the last ones afterwards.
        asked: questions without end.
        options: how it is trained.
    """
    (model,) = probe.frozen
    optimizer = torch.optim.AdamW(probe.parameters(), lr=options.probe_learning_rate, weight_decay=0.01, foreach=True)
    model.train()  # no part of a lab model is random in training; it is the faster way through its convolutions
    for step in range(options.probe_steps):
        share = min(1.0, (step + 1) / _WARM_STEPS) * (1 - step / options.probe_steps)
        optimizer.param_groups[0]["lr"] = share * options.probe_learning_rate
        batch = [next(asked) for _ in range(options.probe_items)]
        targets = torch.tensor([item.answer for item in batch], device=model.device)
        optimizer.zero_grad()
        functional.cross_entropy(probe(*_padded([item.tokens for item in batch], model)), targets).backward()
        optimizer.step()
    model.eval()
    return probe.requires_grad_(False)


@torch.no_grad()
def shares_of_answers(probe: Probe, rows: Sequence[list[int]]) -> np.ndarray:
    """[rows, answers] the probabilities that a probe gives to the answers of questions."""
    (model,) = probe.frozen
    found = [
        probe(*_padded(rows[first : first + _ROWS_PER_PASS], model)).softmax(-1).cpu().numpy()
        for first in range(0, len(rows), _ROWS_PER_PASS)
    ]
    return np.concatenate([*found, np.zeros((0, len(probe.biases)))])


def shares_true(probe: Probe, rows: Sequence[list[int]]) -> np.ndarray:
    """[rows] the probability of yes that a probe gives to questions with the answers no and yes."""
    return shares_of_answers(probe, rows)[:, 1]


def told_by(probe: Probe, rows: Sequence[list[int]]) -> np.ndarray:
    """[rows] int64: the likeliest answers."""
    return shares_of_answers(probe, rows).argmax(-1)


def _padded(rows: Sequence[list[int]], model: PreTrainedModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens [b, t], padded after their ends, and the place of the last real one [b]."""
    last = [len(own) - 1 for own in rows]
    return torch.as_tensor(padded(rows), device=model.device), torch.as_tensor(last, device=model.device)
