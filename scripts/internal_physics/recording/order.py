"""Whether the rows of a matrix are the tokens of a batch, in their order.

The number of rows does not say it: an expert that every token is routed to is given as many rows, in another order.
"""

import torch

# What picks rows by their number; the names of torch's nodes of the backward pass.
PICKS = {"IndexBackward0", "IndexSelectBackward0", "GatherBackward0", "TakeBackward0", "SortBackward0"}


class RowOrder:
    """Follows a matrix back to tensors whose rows are known to be in order."""

    def __init__(self) -> None:
        self._known: dict[int, object] = {}  # by identity; kept, so that no other node gets it

    def add(self, tensor: torch.Tensor) -> None:
        """Take the rows of a tensor as being in order."""
        if tensor.grad_fn is not None:
            self._known[id(tensor.grad_fn)] = tensor.grad_fn

    def is_lost(self, matrix: torch.Tensor) -> bool:
        """Whether rows were picked on the way from tensors in order to this matrix [n, i]."""
        waiting, seen = [matrix.grad_fn], dict[int, object]()
        while waiting:
            node = waiting.pop()
            if node is None or id(node) in self._known or id(node) in seen:
                continue
            if node.name() in PICKS:
                return True
            seen[id(node)] = node
            waiting += [behind for behind, _ in node.next_functions]
        self._known |= seen
        return False

    def forget(self) -> None:
        """Let go of the graph."""
        self._known.clear()
