"""Probes that ask a frozen model about a parameter: its text so far, then `[START] name [END]`.

Only a low-rank change of the embedding and a linear map of the last residual at `[END]` are trained, so that what the
probe finds is in the model, or in how its parts treat the question. The same probe on a model with random weights says
how much that is without training; rules that look at the text's surface say how much needs no model.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.ground.seeds import seed_of
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.nano import PROBE_END_ID, PROBE_START_ID, NanoProblem, draw_problem
from internal_physics.lab.data.reasoning.problem import Problem
from internal_physics.lab.data.reasoning.solve import level_1_solution
from internal_physics.lab.data.vocabulary import PADDING_ID

NEEDED, CAN_BE_NEXT = "needed", "can_be_next"
TASKS = {
    NEEDED: "at the end of the question: whether the query depends on a parameter (nece)",
    CAN_BE_NEXT: "after some steps of a right solution: whether a parameter can be computed now (can_next)",
}
_WARM_STEPS = 30
_EMBEDDING_SCALE = 4.0
_ROWS_PER_PASS = 128


@dataclass(frozen=True)
class Item:
    """A question about a parameter.

    Attributes:
        problem: whose.
        tokens: all that the model is given.
        parameter: that is asked about.
        is_true: the right answer.
    """

    problem: Problem
    tokens: list[int]
    parameter: int
    is_true: bool


RULES: Mapping[str, Mapping[str, Callable[[Problem, int], bool]]] = {
    NEEDED: {
        "used_somewhere": lambda problem, asked: any(asked in needs for needs in problem.dependencies),
        "operand_of_query": lambda problem, asked: asked in problem.dependencies[problem.query],
    },
    CAN_BE_NEXT: {"only_numbers": lambda problem, asked: not problem.dependencies[asked]},
}
"""What can be told from the problem's sentences alone, without a chain of two."""


def question(drawn: NanoProblem, written: list[int], parameter: int) -> list[int]:
    """Tokens that ask about a parameter after some tokens of a solution."""
    return [*drawn.prompt(), *written, PROBE_START_ID, drawn.names[parameter], PROBE_END_ID]


def items(task: str, data: ReasoningData, draws: np.random.Generator) -> Iterator[Item]:
    """Questions without end, true and false ones equally likely, on problems of 2 or more operations."""
    while True:
        needed = int(draws.integers(2, data.operations + 1))
        drawn = draw_problem(draws, needed, data.parameters)
        problem, is_true = drawn.problem, bool(draws.random() < 0.5)
        written: list[int] = []
        if task == NEEDED:
            found = [p for p in range(len(problem)) if p != problem.query and (p in problem.needed) == is_true]
        else:
            steps = level_1_solution(problem, draws).steps[: int(draws.integers(needed))]
            known = {step.parameter for step in steps}
            written = [token for step in steps for token in drawn.step(step)]
            asked = (p for p in range(len(problem)) if p not in known)
            found = [p for p in asked if (problem.dependencies[p] <= known) == is_true]
        if found:
            parameter = found[int(draws.integers(len(found)))]
            yield Item(problem, question(drawn, written, parameter), parameter, is_true)


class Probe(nn.Module):
    """The trained part of a probe, and the frozen model, in a tuple so that it is no part of the probe."""

    frozen: tuple[Any]

    def __init__(self, model: PreTrainedModel, rank: int, seed: int) -> None:
        super().__init__()
        n_words, width = model.config.vocab_size, model.config.hidden_size
        draws = torch.Generator().manual_seed(seed)
        self.left = nn.Parameter(torch.zeros(n_words, rank))
        self.right = nn.Parameter(torch.randn(rank, width, generator=draws) * width**-0.5)
        self.weights = nn.Parameter((torch.rand(2, width, generator=draws) * 2 - 1) * width**-0.5)
        self.biases = nn.Parameter(torch.zeros(2))
        self.frozen = (model.requires_grad_(False),)
        self.to(model.device)

    def forward(self, tokens: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """[b, 2] scores of false and true; tokens [b, t] are padded after place `last` [b]."""
        (model,) = self.frozen
        embedded = model.get_input_embeddings()(tokens) + self.left[tokens] @ self.right * _EMBEDDING_SCALE
        hidden = model.model(inputs_embeds=embedded).last_hidden_state
        return functional.linear(hidden[torch.arange(len(last)), last], self.weights, self.biases)


def fit_probe(model: PreTrainedModel, task: str, data: ReasoningData, options: ReasoningMeasures, seed: int) -> Probe:
    """Train a probe of a frozen model on fresh questions, its rate rising first and then falling along a line to 0."""
    probe = Probe(model, options.probe_rank, seed_of(seed, "a probe", task) % 2**63)
    asked = items(task, data, generator(seed, "questions to fit a probe", task))
    optimizer = torch.optim.AdamW(probe.parameters(), lr=options.probe_learning_rate, weight_decay=0.01, foreach=True)
    model.train()  # no part of a lab model is random in training; it is the faster way through its convolutions
    for step in range(options.probe_steps):
        share = min(1.0, (step + 1) / _WARM_STEPS) * (1 - step / options.probe_steps)
        optimizer.param_groups[0]["lr"] = share * options.probe_learning_rate
        batch = [next(asked) for _ in range(options.probe_items)]
        targets = torch.tensor([int(item.is_true) for item in batch], device=model.device)
        optimizer.zero_grad()
        functional.cross_entropy(probe(*_padded([item.tokens for item in batch], model)), targets).backward()
        optimizer.step()
    model.eval()
    return probe.requires_grad_(False)


@torch.no_grad()
def shares_true(probe: Probe, rows: list[list[int]]) -> np.ndarray:
    """[rows] the probability of true that a probe gives to questions."""
    (model,) = probe.frozen
    found = [
        probe(*_padded(rows[first : first + _ROWS_PER_PASS], model)).softmax(-1)[:, 1].cpu().numpy()
        for first in range(0, len(rows), _ROWS_PER_PASS)
    ]
    return np.concatenate([*found, np.zeros(0)])


def judged_items(task: str, data: ReasoningData, n: int, seed: int) -> list[Item]:
    """Fresh questions on which all probes and rules are judged."""
    asked = items(task, data, generator(seed, "questions to judge a probe", task))
    return [next(asked) for _ in range(n)]


def balanced_accuracy(told: np.ndarray, right: np.ndarray) -> float:
    """Mean of the accuracies on true and on false questions; 0.5 for a guess. NaN without one of the two."""
    with np.errstate(invalid="ignore"):
        return float(
            np.mean(
                [
                    np.mean(told[right == answer] == answer) if (right == answer).any() else np.nan
                    for answer in (True, False)
                ]
            )
        )


def _padded(rows: list[list[int]], model: PreTrainedModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens [b, t], padded after their ends, and the place of the last real one [b]."""
    tokens = np.full((len(rows), max(map(len, rows))), PADDING_ID, np.int64)
    for row, own in enumerate(rows):
        tokens[row, : len(own)] = own
    last = [len(own) - 1 for own in rows]
    return torch.as_tensor(tokens, device=model.device), torch.as_tensor(last, device=model.device)
