"""Training a low-rank change of some maps of a frozen model (LoRA, Hu and others 2021).

A weight W [n, m] becomes W + L R with L [n, r] from zeros and R [r, m] drawn. Of a tied table only what is read as an
embedding changes; the head keeps the table.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from internal_physics.ground.seeds import seed_of
from internal_physics.lab.adapted import ADAPTED
from internal_physics.lab.models.build import build_model


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


def without_low_rank(model: PreTrainedModel) -> PreTrainedModel:
    """An ordinary model of the same function: the changes are added to the weights; the model itself if it has none.

    A head that was tied to a changed embedding keeps its table, so it is tied no more.
    """
    if not any(isinstance(module, LowRank) for module in model.modules()):
        return model
    config: Any = copy.deepcopy(model.config)
    config.tie_word_embeddings = False
    plain = build_model(config, 0)
    with torch.no_grad():
        plain.load_state_dict({name: _weight(model, name) for name in plain.state_dict()})
    return plain


def _weight(model: PreTrainedModel, name: str) -> torch.Tensor:
    module, _, weight = name.rpartition(".")
    return getattr(model.get_submodule(module), weight)


def _adapted(model: PreTrainedModel) -> Iterator[nn.Module]:
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name.rsplit(".", maxsplit=1)[-1] in ADAPTED:
            yield module
