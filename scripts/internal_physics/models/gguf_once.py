"""Reading a GGUF file once: transformers parses the header, with its whole vocabulary, each time it looks at a file.

It also makes the list of an architecture's names anew for every module of a model. In a model of 30 blocks these two
are most of a conversion.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import gguf


@contextmanager
def read_once() -> Iterator[None]:
    """Within this block, the readers of one file are one object, and so are the lists of an architecture's names.

    Neither is changed by transformers or here. The block lets go of both, and of the mapped file, at its end.
    """
    whole: Any = gguf
    reader, names = whole.GGUFReader, whole.get_tensor_name_map
    opened = cache(reader)
    whole.GGUFReader = lambda path: opened(str(path))
    whole.get_tensor_name_map = cache(names)
    try:
        yield
    finally:
        whole.GGUFReader, whole.get_tensor_name_map = reader, names


def open_gguf(path: Path) -> gguf.GGUFReader:
    """The reader of a file; within `read_once` always the same one."""
    return gguf.GGUFReader(path)
