"""The loss whose gradient is recorded, per prompt, in nats.

Causal: mean next-token negative log-likelihood over the T-1 predicted positions.
Masked: negative log-likelihood of the answer at the [MASK].
The recorded gradient is that of *this* mean, for each prompt on its own: prompts of a batch do not
interact, so one backward pass of the sum of their losses gives each prompt its own gradient.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from internal_physics.recording.arrays import to_device

IGNORE = -100


def causal_targets(token_ids: Sequence[Sequence[int]], n_tokens: int, device: torch.device) -> torch.Tensor:
    """Targets [b, t] of a right-padded batch: the next token, or IGNORE where there is none."""
    targets = torch.full((len(token_ids), n_tokens), IGNORE)
    for b, ids in enumerate(token_ids):
        targets[b, : len(ids) - 1] = torch.as_tensor(ids[1:])
    return to_device(targets, device)


def masked_targets(answers: Sequence[tuple[int, int]], n_tokens: int, device: torch.device) -> torch.Tensor:
    """Targets [b, t] with one (position, token id) per prompt, IGNORE elsewhere."""
    targets = torch.full((len(answers), n_tokens), IGNORE)
    for b, (position, token) in enumerate(answers):
        targets[b, position] = token
    return to_device(targets, device)


def losses_nats(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood per prompt, [b].

    Args:
        logits: [b, t, v]; half precision is raised to float32, float64 stays.
        targets: [b, t], IGNORE where nothing is predicted; at least one target per prompt.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    per_token = functional.cross_entropy(wide.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
    return per_token.view_as(targets).sum(dim=1) / (targets != IGNORE).sum(dim=1)
