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
from transformers import modeling_gguf_pytorch_utils

_PARSE = "_gguf_parse_value"


class _Reader(gguf.GGUFReader):
    """A reader that cuts the parts of a header, 150,000 for instance, out of a plain array: a memmap is slow."""

    @property  # type: ignore[override]  # theirs is a memmap
    def data(self) -> np.ndarray:
        """The bytes of the file, mapped, not read."""
        return self._bytes

    @data.setter
    def data(self, mapped: np.ndarray) -> None:
        self._bytes = np.asarray(mapped)  # a view, which keeps the map open


@contextmanager
def read_once() -> Iterator[None]:
    """Within this block, the readers of one file are one object, and so are the lists of an architecture's names.

    Each value of a header is parsed once too. None of these is changed by transformers or here. The block lets go of
    all of them, and of the mapped file, at its end.
    """
    opened = cache(_Reader)
    places: list[tuple[Any, str, Any]] = [
        (gguf, "GGUFReader", lambda path: opened(str(path))),
        (gguf, "get_tensor_name_map", cache(gguf.get_tensor_name_map)),
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
