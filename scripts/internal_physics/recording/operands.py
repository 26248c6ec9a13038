"""Which part of which weight a tensor is: weights are recognised by their storage, their parts by place and strides.

Index conventions: e matrix of a stack; i row and j column of a matrix as it is stored.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from internal_physics.models.coverage import matrix_name


@dataclass(frozen=True)
class Part:
    """A matrix operand that is a weight, or a part of one.

    Attributes:
        parameter: canonical name of the weight.
        matrix: name of its matrix: the weight itself, or one of a stack of them.
        shape: of the whole matrix, as it is stored.
        first: (row, column) of the matrix where the part begins.
        flipped: whether the operand is the stored part's transpose.
        n_matrices: how many matrices the weight is a stack of; 0 for one that is no stack.
    """

    parameter: str
    matrix: str
    shape: tuple[int, int]
    first: tuple[int, int]
    flipped: bool
    n_matrices: int = 0

    @property
    def in_stack(self) -> bool:
        """Whether the matrix is one of a stack, such as that of an expert, which not every token is routed to."""
        return self.n_matrices > 0


class Operands:
    """The weights of one model, as operands of products.

    Args:
        parameters: name and weight; those of less than two dimensions, packed or elsewhere (meta) are left out.
        ignored: names of weights that are not recognised.

    Attributes:
        weights: that are recognised.
    """

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]], ignored: Collection[str] = ()) -> None:
        self._whole: dict[int, Part] = {}
        self._by_storage: dict[int, list[tuple[str, torch.Tensor, int]]] = {}
        self._copies: list[torch.Tensor] = []  # alive, so that no other tensor gets their place in memory
        self._parts: dict[tuple, Part | None] = {}  # by place in memory, shape and strides
        self.weights: list[nn.Parameter] = []
        for name, parameter in parameters:
            if parameter.ndim < 2 or not parameter.is_floating_point() or parameter.is_meta or name in ignored:
                continue
            self.weights.append(parameter)
            place = parameter.untyped_storage().data_ptr()
            self._by_storage.setdefault(place, []).append((name, parameter, 0))
            if parameter.ndim == 2:
                n_rows, n_columns = parameter.shape
                self._whole[id(parameter)] = Part(name, name, (n_rows, n_columns), (0, 0), flipped=False)

    def weight_of(self, tensor: object) -> str | None:
        """Name of the weight that a tensor is, or is a view or a converted copy of."""
        found = self._find(tensor) if isinstance(tensor, torch.Tensor) else None
        return None if found is None else found[0]

    def part(self, operand: torch.Tensor) -> Part | None:
        """What a matrix [i, j] is a part of; None where it is of no weight, or not a rectangle of one."""
        whole = self._whole.get(id(operand))
        if whole is not None:
            return whole
        found = self._find(operand) if operand.ndim == 2 else None
        if found is None:
            return None
        looks = (operand.data_ptr(), operand.shape, operand.stride())
        if looks not in self._parts:
            self._parts[looks] = self._part(operand, *found)
        return self._parts[looks]

    def _part(self, operand: torch.Tensor, name: str, parameter: torch.Tensor, shift: int) -> Part | None:
        place = int(operand.storage_offset()) + shift - int(parameter.storage_offset())
        e, place = _place_in_stack(parameter, place)
        if place < 0:
            return None
        matrix = parameter if e is None else parameter[e]
        found_at = _rectangle(operand, matrix, place)
        if found_at is None:
            return None
        n_rows, n_columns = matrix.shape
        n_matrices = 0 if e is None else len(parameter)
        return Part(name, matrix_name(name, e), (n_rows, n_columns), *found_at, n_matrices)

    def add_copy(self, original: torch.Tensor, copy: torch.Tensor) -> bool:
        """Let a copy of a weight (in another number format) stand for it.

        Returns:
            False if its numbers are in another order, so that its parts would not be found.
        """
        found = self._find(original)
        if found is None or self._find(copy) is not None:
            return found is not None
        if copy.shape != original.shape or copy.stride() != original.stride():
            return False
        name, parameter, shift = found
        shift += int(original.storage_offset()) - int(copy.storage_offset())
        self._by_storage.setdefault(copy.untyped_storage().data_ptr(), []).append((name, parameter, shift))
        self._copies.append(copy)
        return True

    def forget_copies(self) -> None:
        """Let go of all copies, at the end of a pass."""
        for copy in self._copies:
            del self._by_storage[copy.untyped_storage().data_ptr()]
        if self._copies:
            self._parts.clear()
        self._copies.clear()

    def _find(self, tensor: torch.Tensor) -> tuple[str, torch.Tensor, int] | None:
        """Weight, and what to add to a place in the tensor's storage to get the place in the weight's."""
        if tensor.is_meta or tensor.is_sparse:
            return None
        for name, parameter, shift in self._by_storage.get(tensor.untyped_storage().data_ptr(), ()):
            place = tensor.storage_offset() + shift - parameter.storage_offset()
            if 0 <= place < max(parameter.numel(), 1):
                return name, parameter, shift
        return None


def _place_in_stack(parameter: torch.Tensor, place: int) -> tuple[int | None, int]:
    """(e or None, place in the matrix) of a place in a weight; a place of -1 in one that is no stack of them."""
    if parameter.ndim == 2:
        return None, place
    if parameter.ndim != 3 or parameter.stride(0) < parameter.shape[1] * parameter.shape[2]:
        return None, -1
    return divmod(place, int(parameter.stride(0)))


def _rectangle(operand: torch.Tensor, matrix: torch.Tensor, place: int) -> tuple[tuple[int, int], bool] | None:
    """(first row and column, flipped) of an operand that is neighbouring rows and columns of a matrix; else None."""
    if min(operand.shape) == 0 or not matrix.is_contiguous():
        return None
    n_rows, n_columns = matrix.shape
    i, j = divmod(place, n_columns)
    for flipped, (height, width), (down, right) in (
        (False, operand.shape, operand.stride()),
        (True, operand.shape[::-1], operand.stride()[::-1]),
    ):
        in_order = (height == 1 or down == n_columns) and (width == 1 or right == 1)
        if in_order and i + height <= n_rows and j + width <= n_columns:
            return (i, j), flipped
    return None
