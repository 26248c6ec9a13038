"""The header of a GGUF file: its metadata and which tensors it holds, of which type and shape. No tensor is read.

Layout: magic, version, two counts, entries of metadata (name, type, value), tensors (name, shape, type, place), then
the tensors' bytes. Every length is checked against the file before anything of that length is read: the reader of
gguf would follow a damaged one for hours, or out of the file.
"""

import mmap
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from internal_physics.ground.errors import SourceError
from internal_physics.ground.text_files import explain_os_error

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_ENTRIES = 1 << 20  # of metadata or tensors
_MOST_DIMENSIONS = 4
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_AGAIN = "fetch or copy the file again"


@dataclass(frozen=True)
class GgufTensor:
    """A tensor as it lies in a GGUF file.

    Attributes:
        name: its key.
        kind: its type, such as Q4_1, F32 or BF16.
        shape: in the order of the file, the fastest index first.
        n_bytes: on disk.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself.

    Attributes:
        metadata: name → number or text; arrays are left out.
        tensors: in the order of the file.
        lists: names of the metadata that are arrays.
    """

    metadata: dict[str, Any]
    tensors: tuple[GgufTensor, ...]
    lists: tuple[str, ...] = ()

    @property
    def n_numbers(self) -> int:
        """Numbers in all tensors."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def stored_as(self) -> str:
        """Types of the tensors, that of most numbers first: "Q4_1, F32"."""
        sizes: Counter[str] = Counter()
        for tensor in self.tensors:
            sizes[tensor.kind] += prod(tensor.shape)
        return ", ".join(kind for kind, _ in sizes.most_common())


def read_gguf_header(path: Path) -> GgufHeader:
    """Read and check the header of a GGUF file.

    Raises:
        SourceError: naming the file: not GGUF, another version, a length, a type or a place that cannot be.
    """
    try:
        with path.open("rb") as data:
            start = data.read(24)
            n_tensors, n_entries = _counts(start, path)
            with mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _Reader(content, len(start), path).header(n_tensors, n_entries)
    except OSError as error:
        raise SourceError(explain_os_error(error), where=str(path)) from error


def _counts(start: bytes, path: Path) -> tuple[int, int]:
    expected = f"a GGUF file of version {' or '.join(map(str, _VERSIONS))}"
    if len(start) < 24 or not start.startswith(_MAGIC):
        raise SourceError("it does not start as a GGUF file does", where=str(path), expected=expected)
    version, n_tensors, n_entries = struct.unpack("<IQQ", start[4:])
    if version not in _VERSIONS:
        raise SourceError(f"its version is {version}", where=str(path), expected=expected, todo="convert it again")
    if max(n_tensors, n_entries) > _MOST_ENTRIES:
        raise SourceError(
            f"its header counts {n_tensors} tensors and {n_entries} entries of metadata",
            where=str(path),
            expected="a few thousand",
            todo=_AGAIN,
        )
    return n_tensors, n_entries


class _Reader:
    """Walks through a file; what would lead beyond its end is refused."""

    def __init__(self, content: mmap.mmap, position: int, path: Path) -> None:
        self._content, self._position, self._path = content, position, path

    def header(self, n_tensors: int, n_entries: int) -> GgufHeader:
        metadata, lists = {}, []
        for _ in range(n_entries):
            name = self._text()
            value = self._value(self._number("I"))
            if value is not None:
                metadata[name] = value
            else:
                lists.append(name)
        found = [self._tensor() for _ in range(n_tensors)]
        self._check_places(found, metadata.get("general.alignment", 32))
        return GgufHeader(metadata, tuple(tensor for tensor, _ in found), tuple(lists))

    def _tensor(self) -> tuple[GgufTensor, int]:
        """A tensor and where it begins."""
        name, n_dimensions = self._text(), self._number("I")
        if n_dimensions > _MOST_DIMENSIONS:
            raise self._damaged(f"its tensor {name!r} has {n_dimensions} dimensions")
        shape = tuple(self._number("Q") for _ in range(n_dimensions))
        code, place = self._number("I"), self._number("Q")
        try:
            kind = GGMLQuantizationType(code)
        except ValueError as error:
            raise self._damaged(f"its tensor {name!r} has the unknown type {code}") from error
        block, n_bytes = GGML_QUANT_SIZES[kind]
        return GgufTensor(name, kind.name, shape, prod(shape) // block * n_bytes), place

    def _check_places(self, found: Sequence[tuple[GgufTensor, int]], alignment: Any) -> None:
        """Tensors lie within the file, one after the other."""
        if not isinstance(alignment, int) or alignment < 1:
            raise self._damaged(f"its general.alignment is {alignment!r}")
        start = -(-self._position // alignment) * alignment
        end = 0
        for tensor, place in sorted(found, key=lambda entry: entry[1]):
            if place < end or start + place + tensor.n_bytes > len(self._content):
                raise self._damaged(f"its tensor {tensor.name!r} does not lie where its header says")
            end = place + tensor.n_bytes

    def _value(self, kind: int) -> Any:
        if kind == _ARRAY:
            return self._pass_over(self._number("I"), self._number("Q"))
        if kind == _STRING:
            return self._text()
        if kind not in _SCALARS:
            raise self._damaged(f"an entry of its metadata has the unknown type {kind}")
        return self._number(_SCALARS[kind])

    def _pass_over(self, kind: int, length: int) -> None:
        """Skip a list of numbers or texts."""
        if kind in _SCALARS:
            self._take(struct.calcsize(f"<{_SCALARS[kind]}") * length)
        elif kind == _STRING:
            for _ in range(length):
                self._take(self._number("Q"))
        else:
            raise self._damaged(f"a list in its metadata has the unknown type {kind}")

    def _text(self) -> str:
        return self._take(self._number("Q")).decode("utf-8", errors="replace")

    def _number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")))[0]

    def _take(self, n_bytes: int) -> bytes:
        start, self._position = self._position, self._position + n_bytes
        if self._position > len(self._content):
            raise self._damaged("it is cut off, or a length in its header is wrong")
        return self._content[start : self._position]

    def _damaged(self, what: str) -> SourceError:
        return SourceError(what, where=str(self._path), expected="a whole GGUF file", todo=_AGAIN)
