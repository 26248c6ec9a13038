"""English problems that a model solves by itself, every step of its solutions checked.

Index conventions: b problem, t token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from internal_physics.lab.data.padding import padded
from internal_physics.lab.data.reasoning.check import Verdict, check
from internal_physics.lab.data.reasoning.english import english_vocabulary, text_of, words_of
from internal_physics.lab.data.reasoning.read import last_answer, read_solution
from internal_physics.lab.data.reasoning.word_problem import WordProblem
from internal_physics.lab.data.reasoning.write import Written
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID

TOKENS_PER_OPERATION = 40  # a sentence with one operation has about 22


@dataclass(frozen=True)
class Solved:
    """A problem, what a model wrote, and what the checker says."""

    problem: WordProblem
    text: str
    verdict: Verdict
    has_right_answer: bool


def solve_all(
    model: PreTrainedModel, asked: Sequence[tuple[WordProblem, Written]], order: str, rows_per_pass: int
) -> list[Solved]:
    """What a model writes for problems, its best token each time, read and checked."""
    found: list[Solved] = []
    for first in range(0, len(asked), rows_per_pass):
        part = asked[first : first + rows_per_pass]
        vocabulary = english_vocabulary(part[0][0].problem.modulus)
        prompts = [[END_ID, *vocabulary.ids(words_of(written.prompt(order)))] for _, written in part]
        most = max(given.problem.n_operations for given, _ in part) + 1
        for (given, _), ids in zip(part, continue_prompts(model, prompts, TOKENS_PER_OPERATION * most), strict=True):
            found.append(judged(given, text_of(vocabulary.words(ids))))
    return found


def judged(given: WordProblem, text: str) -> Solved:
    """A problem and the text of a solution, read and checked."""
    solution = read_solution(text, given.parameters.names)
    return Solved(given, text, check(given.problem, solution), last_answer(text) == given.problem.answer)


@torch.no_grad()
def continue_prompts(model: PreTrainedModel, prompts: Sequence[Sequence[int]], n_new: int) -> list[list[int]]:
    """At most n_new tokens after each prompt, its best one each time, without the `<eos>` that ends them.

    Prompts may differ in length. Padding stands behind the tokens of a row, where a causal model does not read it.
    """
    lengths = np.array([len(prompt) for prompt in prompts])
    room = np.pad(padded(prompts), ((0, 0), (0, n_new)), constant_values=PADDING_ID)
    tokens = torch.as_tensor(room, device=model.device)
    open_rows, ends = torch.arange(len(prompts), device=model.device), torch.tensor(lengths, device=model.device)
    for _ in range(n_new):
        longest = int(ends[open_rows].max())
        logits = model(tokens[open_rows, :longest]).logits
        chosen = logits[torch.arange(len(open_rows), device=model.device), ends[open_rows] - 1].argmax(-1)
        tokens[open_rows, ends[open_rows]] = chosen
        goes_on = chosen != END_ID
        open_rows = open_rows[goes_on]
        if not len(open_rows):
            break
        ends[open_rows] += 1
    return [row[a:b].tolist() for row, a, b in zip(tokens.cpu(), lengths, ends.tolist(), strict=True)]
