"""Training a low-rank change of some maps of a frozen model (LoRA, Hu and others 2021).

A weight W [n, m] becomes W + L R with L [n, r] from zeros and R [r, m] drawn. Of a tied table only what is read as an
embedding changes; the head keeps the table.
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from internal_physics.ground.seeds import seed_of
from internal_physics.lab.data.batches import Batches
from internal_physics.lab.train.loop import batch_loss

ADAPTED = ("q_proj", "k_proj", "v_proj")


class LowRank(nn.Module):
    """W + L R."""

    def __init__(self, weight: torch.Tensor, rank: int, draws: torch.Generator) -> None:
        super().__init__()
        n, m = weight.shape
        self.left = nn.Parameter(torch.zeros(n, rank, device=weight.device))
        self.right = nn.Parameter((torch.randn(rank, m, generator=draws) / m**0.5).to(weight.device))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed weight."""
        return weight + self.left @ self.right


def add_low_rank(model: PreTrainedModel, *, rank: int, embedding_rank: int, seed: int) -> list[nn.Parameter]:
    """Freeze a model and add changes that are still zero; returns what is to be trained.

    Args:
        model: a lab model; its queries, keys, values and embedding of tokens are changed.
        rank: of the changes of maps.
        embedding_rank: of the change of the embedding.
        seed: of the first numbers.
    """
    model.requires_grad_(False)
    draws = torch.Generator().manual_seed(seed_of(seed, "low rank") % 2**63)
    changed: list[tuple[nn.Module, int]] = [(model.get_input_embeddings(), embedding_rank)]
    changed += [(module, rank) for module in _adapted(model)]
    trained: list[nn.Parameter] = []
    for module, own_rank in changed:
        change = LowRank(module.weight, own_rank, draws)  # type: ignore[arg-type]
        parametrize.register_parametrization(module, "weight", change)
        trained += [change.left, change.right]
    return trained


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


def _adapted(model: PreTrainedModel) -> Iterator[nn.Module]:
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name.rsplit(".", maxsplit=1)[-1] in ADAPTED:
            yield module
