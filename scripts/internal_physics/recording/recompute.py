"""Recompute blocks in the backward pass, so that memory holds the activations of one block, not of all.

One residual per block is kept. The cost is a second forward pass. Source of the idea: Chen et al. 2016,
"Training deep nets with sublinear memory cost".
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Generic, TypeVar

from torch import nn
from torch.utils.checkpoint import checkpoint

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy

C = TypeVar("C")  # a call of a linear map


class Recompute(Generic[C]):
    """Makes blocks run again, and knows which call of the pass is being repeated.

    Args:
        calls: of the pass, one for every call of a linear map, filled in order while the forward pass runs.
        around_again: what a block is computed again in.
    """

    def __init__(self, calls: Sequence[C], around_again: Callable[[], AbstractContextManager[object]]) -> None:
        self._calls, self._around_again = calls, around_again
        self._repeated: Iterator[C] | None = None
        self._in_block = False

    @property
    def drops_inputs(self) -> bool:
        """Whether the running block will run again, so that its inputs need not be kept."""
        return self._in_block

    @property
    def repeats(self) -> bool:
        """Whether the running block has run before."""
        return self._repeated is not None

    def repeated_call(self) -> C | None:
        """The earlier call that the present one repeats; None if there is no such call, or nothing repeats."""
        return None if self._repeated is None else next(self._repeated, None)

    def wrap(self, block: nn.Module) -> Callable[[], None]:
        """Make a block run again in the backward pass.

        Returns:
            A function that undoes it.
        """
        forward, own = block.forward, "forward" in vars(block)
        block.forward = partial(self._run, forward)

        def undo() -> None:
            if own:
                block.forward = forward
            else:
                del block.forward

        return undo

    def _run(self, forward: Callable[..., object], *args: object, **kwargs: object) -> object:
        calls: list[C] = []
        again: Callable[..., object] = checkpoint
        return again(
            forward,
            *args,
            use_reentrant=False,
            preserve_rng_state=False,  # no random numbers: dropout is off
            early_stop=False,  # every map of the block must give its input
            context_fn=lambda: (self._first(calls), self._again(calls)),
            **kwargs,
        )

    @contextmanager
    def _first(self, calls: list[C]) -> Iterator[None]:
        n_before, self._in_block = len(self._calls), True
        try:
            yield
        finally:
            self._in_block = False
        calls += self._calls[n_before:]

    @contextmanager
    def _again(self, calls: list[C]) -> Iterator[None]:
        self._repeated = iter(calls)
        try:
            with self._around_again():
                yield
        finally:
            self._repeated = None


def require_no_lookups(anatomy: Anatomy) -> None:
    """Refuse a model with embeddings inside its blocks: the rows that they look up are leaves, created again each time.

    Raises:
        ArchitectureError: naming the first.
    """
    inside = [m.site for m in anatomy.maps if m.lookup and anatomy.is_in_blocks(m.site)]
    if inside:
        raise ArchitectureError(
            f"{inside[0]} is an embedding inside a block, which cannot be computed again",
            where=anatomy.architecture,
            todo="set record.recompute to false",
        )
