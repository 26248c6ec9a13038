"""What each block is given and returns in a pass, for the self-check."""

import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.readout import members_of
from internal_physics.models.stream import Output, hidden_input, hidden_state


class BlockOutputs:
    """Catches what each block returns, to compare it with the input of the next block.

    Args:
        model: the model.
        anatomy: where its parts are.
        n_tokens: of the pass, without what the model adds behind them.
    """

    def __init__(self, model: nn.Module, anatomy: Anatomy, n_tokens: int) -> None:
        self.n_tokens = n_tokens
        self.blocks, self.stream, self.n_members = anatomy.blocks(model), anatomy.stream, 0
        self.hidden: list[torch.Tensor] = []
        self.entered: list[torch.Tensor] = []  # what each block is given
        self._entries = anatomy.entries(model)
        self.last: torch.Tensor | None = None  # [b, t, d] of the last block, in the graph of the pass

    def __enter__(self) -> "BlockOutputs":
        self.handles = [block.register_forward_hook(self._keep) for block in self.blocks]
        self.handles += [e.register_forward_pre_hook(self._enter, with_kwargs=True) for e in self._entries]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _enter(self, _module: nn.Module, args: tuple, kwargs: dict) -> None:
        self.entered.append(self.stream.unfold(hidden_input(args, kwargs).detach())[:, : self.n_tokens])

    def _keep(self, _module: nn.Module, _args: tuple, output: Output) -> None:
        self.n_members = members_of(output)
        self.last = self.stream.unfold(hidden_state(output))[:, : self.n_tokens]
        self.hidden.append(self.last.detach())
