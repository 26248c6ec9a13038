"""Reading a GGUF file once: transformers parses the header, with its whole vocabulary, each time it looks at a file.

It also makes the list of an architecture's names anew for every module of a model. In a model of 30 blocks these two
are most of a conversion.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGUFValueType, quants
from transformers import modeling_gguf_pytorch_utils

_PARSE = "_gguf_parse_value"
_GROUPS = "_apply_over_grouped_rows"
_ROWS = 512  # of a matrix that are de-quantised at a time: the library takes 16, which is three times as slow
_Parts = tuple[int, list[np.ndarray], list[int], list[GGUFValueType]]


class _Reader(gguf.GGUFReader):
    """A reader that cuts the parts of a header, 150,000 for instance, out of a plain array: a memmap is slow.

    Nor does it ask anew, for every text and number of a list, what kind it is of.
    """

    @property  # type: ignore[override]  # theirs is a memmap
    def data(self) -> np.ndarray:
        """The bytes of the file, mapped, not read."""
        return self._bytes

    @data.setter
    def data(self, mapped: np.ndarray) -> None:
        self._bytes = np.asarray(mapped)  # a view, which keeps the map open

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> _Parts:
        """Size in bytes of a value, its parts, which of them are data, and its types: as the base class gives them."""
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind = GGUFValueType(int(self._get(orig_offs, np.uint32)[0]))
        number = self.gguf_scalar_to_np.get(kind)
        if number is None and kind != GGUFValueType.STRING:
            return super()._get_field_parts(orig_offs, raw_type)
        head = [self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)]
        start, n = orig_offs + 12, int(head[1][0])
        parts = self._texts(start, n) if number is None else self._numbers(start, n, number)
        data = range(3, 2 + len(parts), 2) if number is None else range(2, 2 + len(parts))
        size = sum(part.nbytes for part in head + parts)
        return size, head + parts, list(data), [GGUFValueType.ARRAY, *([kind] if n else [])]

    def _texts(self, start: int, n: int) -> list[np.ndarray]:
        """Length and bytes of each of `n` texts, in turn."""
        whole, length_type = self.data, np.dtype(np.uint64).newbyteorder(self.byte_order)
        parts = []
        for _ in range(n):
            length = whole[start : start + 8].view(length_type)
            start += 8 + int(length[0])
            parts += [length, whole[start - int(length[0]) : start]]
        return parts

    def _numbers(self, start: int, n: int, number: Any) -> list[np.ndarray]:
        numbers = self._get(start, number, n)
        return [numbers[i : i + 1] for i in range(n)]


@contextmanager
def read_once() -> Iterator[None]:
    """Within this block, the readers of one file are one object, and so are the lists of an architecture's names.

    Each value of a header is parsed once too, and weights are de-quantised in longer pieces. None of these is changed
    by transformers or here. The block lets go of all of them, and of the mapped file, at its end.
    """
    opened = cache(_Reader)
    places: list[tuple[Any, str, Any]] = [
        (gguf, "GGUFReader", lambda path: opened(str(path))),
        (gguf, "get_tensor_name_map", cache(gguf.get_tensor_name_map)),
        (quants, _GROUPS, _in_long_groups),
        (modeling_gguf_pytorch_utils, _PARSE, _once_for_each(getattr(modeling_gguf_pytorch_utils, _PARSE))),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in places]
    _set(places)
    try:
        yield
    finally:
        _set(before)


def _set(places: Iterable[tuple[Any, str, Any]]) -> None:
    for module, name, value in places:
        setattr(module, name, value)


def _in_long_groups(
    func: Callable[[np.ndarray], np.ndarray], arr: np.ndarray, otype: npt.DTypeLike, oshape: tuple[int, ...]
) -> np.ndarray:
    """`func`, which knows nothing of other rows, of `_ROWS` rows of an array at a time."""
    rows, found = arr.reshape(-1, arr.shape[-1]), np.empty(oshape, otype)
    numbers, start = found.reshape(-1), 0
    for first in range(0, len(rows), _ROWS):
        part = func(rows[first : first + _ROWS]).reshape(-1)
        numbers[start : start + part.size] = part
        start += part.size
    return found


def _once_for_each(parse: Callable[[np.ndarray, Any], Any]) -> Callable[[np.ndarray, Any], Any]:
    """`parse`, which is called once for each array object and type; what it gives cannot be changed in place."""
    parsed: dict[int, tuple[np.ndarray, Any]] = {}

    def parse_once(part: np.ndarray, types: Any) -> Any:
        if id(part) not in parsed:
            parsed[id(part)] = part, parse(part, types)  # an object that is kept keeps its id
        return parsed[id(part)][1]

    return parse_once


def open_gguf(path: Path) -> gguf.GGUFReader:
    """The reader of a file; within `read_once` always the same one."""
    return gguf.GGUFReader(path)
