"""Training a low-rank change by itself, without snapshots: of a model that is measured and then forgotten."""

import torch
from torch import nn
from transformers import PreTrainedModel

from internal_physics.lab.data.batches import Batches
from internal_physics.lab.train.loop import batch_loss


def train_low_rank(
    model: PreTrainedModel,
    trained: list[nn.Parameter],
    batches: Batches,
    *,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Train the changes with AdamW, the rate falling along a line to 0; the model is in eval mode afterwards."""
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=weight_decay, eps=1e-6, foreach=True)
    model.train()
    for step in range(batches.steps):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / batches.steps)
        optimizer.zero_grad()
        batch_loss(model, batches.at(step)).backward()
        optimizer.step()
    model.eval()
