"""Is a model unsure where its own solution goes wrong? Entropy, surprisal and residual gain before each of its steps.

Each number is read at the last token before a step, where the model chooses which parameter to compute, or to end.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from internal_physics.families.residual_gain.residual_gain import Gain
from internal_physics.lab.data.padding import padded
from internal_physics.lab.data.reasoning.check import ARITHMETIC, WRONG_OPERANDS
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.reasoning.foresight import Shown
from internal_physics.lab.experiments.reasoning.solving import Solved

SIGNALS = {
    "entropy": "entropy of the next token, in nats",
    "surprisal": "minus the log-probability of the token that the model chose, in nats",
    "last_gain": "norm of the last residual over that of the one before",
}
_ROWS_PER_PASS = 128


def before_choices(model: PreTrainedModel, solved: Sequence[Solved]) -> dict[str, list[Shown]]:
    """Signal → its number before every step that a model chose, and whether the choice was wrong.

    Up to the first error. The end of a solution is a choice, too. A step with a right parameter but wrong numbers, and
    a parameter that the model takes back, count as neither right nor wrong.
    """
    found: dict[str, list[Shown]] = {name: [] for name in SIGNALS}
    for first in range(0, len(solved), _ROWS_PER_PASS):
        group = solved[first : first + _ROWS_PER_PASS]
        rows = [[*one.problem.prompt(), *one.tokens, END_ID] for one in group]
        signals = _signals(model, rows)
        for number, one in enumerate(group):
            for place, is_wrong in _choices(one):
                at = len(rows[number]) - len(one.tokens) - 2 + place
                for name in SIGNALS:
                    found[name].append(Shown(is_wrong, float(signals[name][number, at])))
    return found


def _choices(one: Solved) -> Iterator[tuple[int, bool]]:
    """Tokens of the solution before each choice, and whether it was wrong."""
    error, step = one.verdict.error, one.verdict.step
    n_right = len(one.solution.steps) if step is None else step
    for number, chosen in enumerate(one.solution.steps[:n_right]):
        if not chosen.is_back:
            yield len(one.tokens_before(number)), False
    if error not in (ARITHMETIC, WRONG_OPERANDS):
        yield len(one.tokens_before(n_right)), bool(error)


@torch.no_grad()
def _signals(model: PreTrainedModel, rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
    """Signal → [row, token]; padding has numbers, too."""
    ids = torch.as_tensor(padded(rows), device=model.device)
    seen = model(ids, output_hidden_states=True)
    logs = seen.logits.double().log_softmax(-1)
    chosen = logs[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
    norms = torch.stack([residual.double().norm(dim=-1) for residual in seen.hidden_states])  # [L + 1, row, token]
    return {
        "entropy": -(logs.exp() * logs).sum(-1).cpu().numpy(),
        "surprisal": -chosen.cpu().numpy(),
        "last_gain": Gain(norms.cpu().numpy()).gains[-1],
    }
