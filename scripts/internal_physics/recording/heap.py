"""Python's search for unused objects leaves out what is there before a recording: libraries and model."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Every pass makes thousands of small objects, which starts that search, in all objects, again and again.

    What becomes unused in the meantime is still found; what was unused before, only afterwards. Nested uses, and a
    program that has frozen its objects itself, are left as they are.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
