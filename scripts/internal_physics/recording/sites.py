"""The names under which the uses of a model's matrices are kept.

A weight that a module owns has the module's name; any other has its own, and a matrix of a stack its number as well.
"""

from collections.abc import Sequence

from internal_physics.models.anatomy import Anatomy, LinearMap
from internal_physics.models.coverage import matrix_name
from internal_physics.recording.operands import Part


class Sites:
    """Finds or makes the LinearMap of every matrix that is used in a pass.

    Args:
        anatomy: of the model.

    Attributes:
        contradictory: weights that are used both as they are stored and transposed, which one record cannot hold.
    """

    def __init__(self, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._known = {(m.parameter, m.lookup): m for m in reversed(anatomy.maps)}
        self._others: dict[str, list[LinearMap]] = {}  # weight → its matrices, of weights that no module's map has
        self.contradictory: set[str] = set()

    def of(self, part: Part, *, lookup: bool, transposed: bool) -> LinearMap:
        """The map that uses a part of a weight."""
        found = self._known.get((part.matrix, lookup))
        if found is None:
            self._add(part, lookup=lookup, transposed=transposed)
            found = self._known[part.matrix, lookup]
        if found.transposed != transposed and not lookup:
            self.contradictory.add(part.parameter)
        return found

    def of_dense(self, name: str, shape: Sequence[int]) -> LinearMap:
        """The map of a weight whose gradient is kept whole, as a matrix of its first dimension and all others."""
        n_rows = shape[0]
        n_columns = 1
        for n in shape[1:]:
            n_columns *= n
        return self._map(name, name, (n_rows, n_columns), lookup=False, transposed=False)

    def others(self) -> list[list[LinearMap]]:
        """The matrices of each weight that no module's map has, used or not, in the order of the model's weights."""
        return [self._others[name] for name in self._anatomy.unmapped if name in self._others]

    def _add(self, part: Part, *, lookup: bool, transposed: bool) -> None:
        names = [part.matrix]
        if part.in_stack:
            names = [matrix_name(part.parameter, e) for e in range(part.n_matrices)]
        own = [self._map(part.parameter, name, part.shape, lookup=lookup, transposed=transposed) for name in names]
        self._known |= {(m.parameter, lookup): m for m in own}
        if part.parameter in self._anatomy.unmapped and part.parameter not in self._others:
            self._others[part.parameter] = own

    def _map(self, parameter: str, matrix: str, shape: tuple[int, int], *, lookup: bool, transposed: bool) -> LinearMap:
        layer = self._anatomy.layer_of(parameter, lookup=lookup)
        return LinearMap(matrix.removesuffix(".weight"), matrix, layer, lookup, transposed, shape)
