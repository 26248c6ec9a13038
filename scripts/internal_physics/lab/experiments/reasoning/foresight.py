"""Can an error be seen before it is written? Two signals, each beside whether the parameter was wrong.

- taking_back: a model that was trained on retries is shown a parameter's name after right steps; how likely is BACK?
- probe: a probe asks whether a parameter can be computed now, before the model's own wrong steps and its right ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from internal_physics.lab.data.reasoning.check import NOT_READY
from internal_physics.lab.data.reasoning.nano import BACK_ID, NanoProblem
from internal_physics.lab.data.reasoning.solve import level_1_solution
from internal_physics.lab.experiments.reasoning.questions import question
from internal_physics.lab.experiments.reasoning.solving import Solved
from internal_physics.lab.probes.asking import Probe, shares_true


@dataclass(frozen=True)
class Shown:
    """A parameter, and a signal about it.

    Attributes:
        is_wrong: whether the parameter cannot be computed yet.
        value: probability of BACK, one minus the probe's that it can be computed, or a signal of `uncertainty`.
    """

    is_wrong: bool
    value: float


def taking_back(model: PreTrainedModel, problems: Sequence[NanoProblem], draws: np.random.Generator) -> list[Shown]:
    """The probability of BACK after a random open parameter's name, after 0, 1, … steps of a right solution."""
    rows, wrong = [], []
    for drawn in problems:
        problem = drawn.problem
        steps = level_1_solution(problem, draws).steps
        begun = steps[: int(draws.integers(len(steps)))]
        known = {step.parameter for step in begun}
        open_ones = [p for p in range(len(problem)) if p not in known]
        shown = open_ones[int(draws.integers(len(open_ones)))]
        rows.append([*drawn.prompt(), *(t for step in begun for t in drawn.step(step)), drawn.names[shown]])
        wrong.append(not problem.dependencies[shown] <= known)
    return [Shown(is_wrong, share) for is_wrong, share in zip(wrong, _back_shares(model, rows), strict=True)]


@torch.no_grad()
def _back_shares(model: PreTrainedModel, rows: list[list[int]]) -> list[float]:
    found: dict[int, float] = {}
    by_length: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(place)
    for places in by_length.values():
        ids = torch.as_tensor([rows[place] for place in places], device=model.device)
        shares = model(ids).logits[:, -1].softmax(-1)[:, BACK_ID].tolist()
        found.update(zip(places, shares, strict=True))
    return [found[place] for place in range(len(rows))]


def before_own_steps(probe: Probe, solved: Sequence[Solved], draws: np.random.Generator) -> list[Shown]:
    """What the probe says of the first parameter that was not ready, and of a random right step of each solution."""
    questions = list(_own_steps(solved, draws))
    shares = shares_true(probe, [tokens for tokens, _ in questions])
    return [Shown(is_wrong, 1 - float(share)) for (_, is_wrong), share in zip(questions, shares, strict=True)]


def _own_steps(solved: Sequence[Solved], draws: np.random.Generator) -> Iterator[tuple[list[int], bool]]:
    for one in solved:
        steps = one.solution.steps
        n_right = len(steps) if one.verdict.step is None else one.verdict.step
        if one.verdict.error == NOT_READY:
            yield _asked_before(one, n_right), True
        right = [place for place, step in enumerate(steps[:n_right]) if not step.is_back]
        if right:
            yield _asked_before(one, right[int(draws.integers(len(right)))]), False


def _asked_before(one: Solved, step: int) -> list[int]:
    return question(one.problem, one.tokens_before(step), one.solution.steps[step].parameter)
