"""How a figure drawn from Python may differ from the workflow's: without title or notes, with settings of matplotlib.

The workflow changes nothing of it, so that its figures have the same bytes on every machine.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Look:
    """What a caller asks for.

    Attributes:
        title: whether the title is drawn.
        notes: whether the notes beneath are drawn.
        settings: rcParams of matplotlib that replace those of the house.
        models: every model that has a colour, in the order that fixes it, whichever of them are drawn; empty: each
            figure's own order.
    """

    title: bool = True
    notes: bool = True
    settings: Mapping[Any, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()


_LOOK: ContextVar[Look] = ContextVar("look", default=Look())  # noqa: B039 (it is frozen)


def current() -> Look:
    """The look that figures are drawn with now."""
    return _LOOK.get()


@contextmanager
def drawn_with(look: Look) -> Iterator[None]:
    """Draw figures with this look inside the block."""
    token = _LOOK.set(look)
    try:
        yield
    finally:
        _LOOK.reset(token)
