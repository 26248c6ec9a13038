"""Routing: which experts the router of each block chooses for each token, and how it scored all of them.

The scores are the product with the router's weight, as the model computes it; the choice is what the experts are given,
so that a bias or a limit on groups of experts is in it. A model whose experts are not told (Llama 4) chooses those
with the highest scores.

Index conventions: b prompt, n real token (prompt by prompt, see `packing`), e expert, k choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.kinds import in_experts, kind_of
from internal_physics.recording.arrays import ToHost, to_numpy
from internal_physics.recording.packing import Packing
from internal_physics.records.trace import Key


@dataclass(frozen=True)
class Router:
    """The experts of a block, and the weight that scores them.

    Attributes:
        site: the module of the experts.
        layer: its block.
        weight: name of the router's weight, [e, d].
        n_experts: e.
    """

    site: str
    layer: int
    weight: str
    n_experts: int


def find_routers(module: nn.Module, anatomy: Anatomy) -> Iterator[Router]:
    """One for each stack of experts whose router is found: the nearest weight of that kind with a row per expert."""
    stored = {name: tuple(p.shape) for name, p in module.named_parameters()}
    stacks = {name: shape[0] for name, shape in stored.items() if len(shape) == 3 and in_experts(name)}
    if not stacks:
        return
    shapes = stored | {m.parameter: m.shape for m in anatomy.maps}
    for site, n_experts in {name.rpartition(".")[0]: n for name, n in stacks.items()}.items():
        layer = anatomy.layer_of(f"{site}.", lookup=False)
        fitting = [n for n, shape in shapes.items() if shape[0] == n_experts and len(shape) == 2]
        own = [n for n in fitting if anatomy.layer_of(n, lookup=False) == layer and _is_router(n, layer, anatomy)]
        if own:
            yield Router(site, layer, max(own, key=lambda name: _shared(name, site)), n_experts)


def _is_router(name: str, layer: int, anatomy: Anatomy) -> bool:
    return kind_of(name, layer=layer, n_layers=anatomy.n_layers, lookup=False) == "router"


def _shared(one: str, other: str) -> int:
    """How many names from the top of the module tree two paths share."""
    pairs = zip(one.split("."), other.split("."), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), 0)


class Routing:
    """What one pass shows of its routers. Fills while the model runs between `__enter__` and `__exit__`.

    Args:
        module: the model.
        routers: of the model.
        packing: which rows belong to which prompt.
    """

    def __init__(self, module: nn.Module, routers: Sequence[Router], packing: Packing) -> None:
        self._module, self._packing = module, packing
        self._routers = {router.weight: router for router in routers}
        config: Any = getattr(module, "config", None)
        text_config = config.get_text_config() if hasattr(config, "get_text_config") else config
        self._n_chosen = getattr(text_config, "num_experts_per_tok", None)
        self._scores: dict[Router, torch.Tensor] = {}
        self._chosen: dict[Router, torch.Tensor] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "Routing":
        for router in self._routers.values():
            experts = self._module.get_submodule(router.site)
            self._handles.append(experts.register_forward_pre_hook(self._catch_choice(router), with_kwargs=True))
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def scored(self, weight: str, output: torch.Tensor) -> None:
        """Take the product with a weight, [..., e]; only those with a router's weight are kept."""
        router = self._routers.get(weight)
        rows = None if router is None else self._of_tokens(output.detach())
        if router is not None and rows is not None:
            self._scores[router] = rows

    def finish(self, to_host: ToHost) -> None:
        """Choose where the experts are not told, and start to read everything back."""
        for router, scores in self._scores.items():
            if router not in self._chosen and isinstance(self._n_chosen, int):
                self._chosen[router] = scores.topk(self._n_chosen, dim=-1).indices
        for kept in (self._scores, self._chosen):
            kept.update({router: to_host.start(tensor) for router, tensor in kept.items()})

    def tensors(self, b: int) -> dict[Key, np.ndarray]:
        """Scores and choices of prompt b, for each router of which both are known."""
        found: dict[Key, np.ndarray] = {}
        for router in [r for r in self._scores if r in self._chosen]:
            scores, chosen = (self._packing.of_prompt(kept[router], b) for kept in (self._scores, self._chosen))
            found[Key(router.site, router.layer, "router_logits")] = to_numpy(scores)
            found[Key(router.site, router.layer, "expert_ids")] = chosen.cpu().numpy()
        return found

    def _catch_choice(self, router: Router) -> Any:
        def before(_module: nn.Module, args: tuple, kwargs: dict) -> None:
            for given in (*args, *kwargs.values()):
                if isinstance(given, torch.Tensor) and given.dtype in (torch.int64, torch.int32) and given.ndim >= 2:
                    rows = self._of_tokens(given)
                    if rows is not None:
                        self._chosen[router] = rows

        return before

    def _of_tokens(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """[n, …]: rows of the real tokens; None where a tensor has other rows."""
        flat = tensor.reshape(-1, tensor.shape[-1])
        if len(flat) == self._packing.starts[-1]:
            return flat
        return self._packing.pack(tensor) if self._packing.fits(tensor) else None
