"""The header of a safetensors file: which tensors it holds, of which type and shape. No heavy imports.

Layout: 8 bytes of length, the header as JSON, then the tensors' bytes without gaps. A header is checked as a whole, so
that a damaged file is named before any of it is used.
"""

import json
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import SourceError
from internal_physics.ground.text_files import explain_os_error

BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
FLOATS = ("F16", "BF16", "F32", "F64")  # loading casts these to the model's own type, and no others
_LONGEST_HEADER_BYTES = 100_000_000
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as it is stored in a file.

    Attributes:
        name: its key.
        dtype: a key of `BITS`.
        shape: of the stored tensor.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes on disk."""
        return -(-self.size * BITS[self.dtype] // 8)


def read_header(path: str | Path) -> list[StoredTensor]:
    """The tensors of a file in the order of its header; no tensor is read.

    Raises:
        SourceError: naming the file, where it cannot be read, is not a safetensors file, or is not complete.
    """
    path = Path(path)
    try:
        n_bytes = path.stat().st_size
        with path.open("rb") as data:
            start = data.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            header = data.read(length) if 2 <= length <= min(_LONGEST_HEADER_BYTES, n_bytes - 8) else b""
            if start == _POINTER[:8]:
                raise _pointer(path)
    except OSError as error:
        raise SourceError(explain_os_error(error), where=str(path)) from error
    entries = _parse(header, path)
    tensors = [_tensor(name, entry, path) for name, entry in entries.items()]
    _check_places(list(entries.values()), tensors, n_bytes - 8 - length, path)
    return tensors


def number_formats(tensors: Iterable[StoredTensor]) -> str:
    """Types of tensors, that of most entries first: "BF16, F32"."""
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.size
    return ", ".join(dtype for dtype, _ in sizes.most_common())


def _parse(header: bytes, path: Path) -> dict[str, Mapping[str, Any]]:
    try:
        entries = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise _damaged("its header cannot be read", path) from error
    if not isinstance(entries, dict):
        raise _damaged("its header cannot be read", path)
    entries.pop("__metadata__", None)
    return entries


def _tensor(name: str, entry: Any, path: Path) -> StoredTensor:
    known = isinstance(entry, Mapping) and str(entry.get("dtype")) in BITS
    if not known or not _naturals(entry.get("shape")) or not _naturals(entry.get("data_offsets")):
        raise _damaged(f"its header has an impossible entry for {name!r}", path)
    return StoredTensor(name, entry["dtype"], tuple(entry["shape"]))


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _check_places(
    entries: Sequence[Mapping[str, Any]], tensors: Sequence[StoredTensor], n_bytes: int, path: Path
) -> None:
    """Every tensor follows the one before, in its full size, and the last one ends with the file."""
    end = 0
    places = [(entry["data_offsets"], tensor) for entry, tensor in zip(entries, tensors, strict=True)]
    for offsets, tensor in sorted(places, key=lambda place: place[0]):
        if len(offsets) != 2 or offsets[0] != end or offsets[1] - offsets[0] != tensor.n_bytes:
            raise _damaged(f"its header has an impossible entry for {tensor.name!r}", path)
        end = offsets[1]
    if end != n_bytes:
        raise SourceError(
            f"it is {'truncated' if end > n_bytes else 'longer than its header says'}: {n_bytes} bytes of tensors",
            where=str(path),
            expected=f"{end} bytes, by its header",
            todo="fetch or copy the file again",
        )


def _damaged(what: str, path: Path) -> SourceError:
    return SourceError(what, where=str(path), expected="a safetensors file", todo="fetch or copy the file again")


def _pointer(path: Path) -> SourceError:
    return SourceError(
        "it is the pointer of Git LFS to the weights, not the weights",
        where=str(path),
        expected="a safetensors file",
        todo="run `git lfs pull` in the model's repository",
    )
