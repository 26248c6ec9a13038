"""Routing: which experts the router of each block chooses for each token, and how it scored all of them.

The scores are the product with the router's weight, as the model computes it; the choice is what the experts are given,
so that a bias or a limit on groups of experts is in it. A model whose experts are not told (Llama 4) chooses those
with the highest scores.

Index conventions: b prompt, n real token (prompt by prompt, see `packing`), e expert, k choice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.kinds import expert_of, in_experts, kind_of
from internal_physics.recording.arrays import ToHost, to_numpy
from internal_physics.recording.packing import Packing
from internal_physics.records.trace import Key


@dataclass(frozen=True)
class Router:
    """The experts of a block, and the weight that scores them.

    Attributes:
        site: the module of the experts.
        layer: its block.
        weight: name of the router's weight, [e, d], or of more rows if it scores shared experts too.
        n_experts: e.
    """

    site: str
    layer: int
    weight: str
    n_experts: int


def find_routers(module: nn.Module, anatomy: Anatomy) -> Iterator[Router]:
    """One for each group of experts whose router is found.

    A router has a row per expert, or one more for each shared expert after those (Inkling), and stands in the block of
    the experts; of several such weights, one that is called a router goes first, then the nearest. Experts are stacks
    of matrices, or matrices one below the other. A stack that is not called experts may be a convolution: it needs a
    weight that is called a router.
    """
    stored = {name: tuple(p.shape) for name, p in module.named_parameters()}
    stacks = {name: shape for name, shape in stored.items() if _may_be_stack(name, shape)}
    if not stacks:
        return
    shapes = stored | {m.parameter: m.shape for m in anatomy.maps}
    matrices = {name: shape[0] for name, shape in shapes.items() if len(shape) == 2 and name not in stacks}
    found: dict[str, Router] = {}
    for stack, shape in stacks.items():
        layer = anatomy.layer_of(stack, lookup=False)
        own = [n for n in matrices if anatomy.layer_of(n, lookup=False) == layer and "shared" not in n]
        n_shared = _n_shared(stack, stacks)
        fitting = [n for n in own if _has_row_per_expert(matrices[n] - n_shared, shape)]
        fitting = fitting or [n for n in own if _has_row_per_expert(matrices[n], shape)]
        weight = _router_of(stack, fitting, layer, anatomy)
        if weight is not None:
            site, n_rows = _site(stack, weight), matrices[weight]
            n_experts = n_rows if _has_row_per_expert(n_rows, shape) else n_rows - n_shared
            found.setdefault(site, Router(site, layer, weight, n_experts))
    yield from found.values()


def unrouted(module: nn.Module, anatomy: Anatomy) -> list[str]:
    """The modules of experts in blocks whose router is not found, so that records do not say which experts are used."""
    known = {router.site for router in find_routers(module, anatomy)}
    stacks = [name for name, p in module.named_parameters() if _may_be_stack(name, tuple(p.shape)) and in_experts(name)]
    sites = dict.fromkeys(_site(name, name) for name in stacks if anatomy.is_in_blocks(name))
    return [site for site in sites if site not in known]


def _n_shared(stack: str, stacks: Mapping[str, tuple[int, ...]]) -> int:
    """How many shared experts stand beside a stack of experts, in a stack of their own; 0 where they have none."""
    beside = stack[: stack.rfind("experts.")] + "shared_experts."
    return next((shape[0] for name, shape in stacks.items() if name.startswith(beside) and len(shape) == 3), 0)


def _may_be_stack(name: str, shape: tuple[int, ...]) -> bool:
    """Matrices of experts, [e, out, in] or [e · out, in], or another stack; not the matrix of one expert."""
    return len(shape) == 3 or (len(shape) == 2 and _is_matrix_of_experts(name))


def _is_matrix_of_experts(name: str) -> bool:
    return in_experts(name) and expert_of(name) is None and "router" not in name and not name.endswith("bias")


def _has_row_per_expert(n_rows: int, shape: tuple[int, ...]) -> bool:
    if len(shape) == 3:
        return n_rows == shape[0]
    return 1 < n_rows < shape[0] and shape[0] % n_rows == 0


def _router_of(stack: str, fitting: Sequence[str], layer: int, anatomy: Anatomy) -> str | None:
    """The nearest of the fitting weights of a block that is called a router, or else stands beside the experts."""
    beside = [name for name in fitting if _in_one_module(name, stack)]
    of_experts, in_block = in_experts(stack), 0 <= layer < anatomy.n_layers
    called = [name for name in (fitting if of_experts else beside) if _is_router(name, layer, anatomy)]
    chosen = called or (beside if of_experts and in_block else [])
    return max(chosen, key=lambda name: _shared(name, stack), default=None)


def _in_one_module(weight: str, stack: str) -> bool:
    """Whether both stand in a module of a block, and not merely in the same block."""
    n_shared = _shared(weight, stack)
    return n_shared > 0 and not weight.split(".")[n_shared - 1].isdigit()


def _site(stack: str, router: str) -> str:
    """The module that is given what the router chose: `experts`, or what holds the stack and the router."""
    names = stack.split(".")
    experts = [n for n, name in enumerate(names) if name.lower() in ("experts", "local_experts")]
    return ".".join(names[: experts[-1] + 1 if experts else _shared(router, stack)])


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

    def scores(self, weight: str) -> bool:
        """Whether a weight is a router's."""
        return weight in self._routers

    def scored(self, weight: str, output: torch.Tensor) -> None:
        """Take the product with a weight, [..., e]; only those with a router's weight are kept."""
        router = self._routers.get(weight)
        rows = None if router is None else self._of_tokens(output.detach())
        if router is not None and rows is not None:
            self._scores[router] = rows[:, : router.n_experts]

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
