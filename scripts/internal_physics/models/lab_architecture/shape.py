"""Which shapes a lab model can have: one rule for the options of a config and for a config.json. No heavy imports."""

from dataclasses import dataclass

CANON_PLACES = "ABCD"


@dataclass(frozen=True)
class Shape:
    """What decides whether there is such a model.

    Attributes:
        width: of the residual stream, 1 or more.
        heads: of attention, 1 or more.
        attention: its kind, see `LabConfig`.
        canon: places of short convolutions.
        rotary_share: share of a head's width that is rotated.
        masked: whether a token sees later ones.
    """

    width: int
    heads: int
    attention: str
    canon: str
    rotary_share: float
    masked: bool


@dataclass(frozen=True)
class Unsound:
    """An entry of a shape that describes no model, and what is expected instead."""

    entry: str
    expected: str


def n_rotated(head_width: int, rotary_share: float) -> int:
    """How many numbers of a head are rotated: an even number, so that the last of an odd width is not."""
    return 2 * int(rotary_share * head_width / 2)


def unsound(shape: Shape) -> Unsound | None:
    """The first entry that describes no model; None if there is such a model."""
    rotates = shape.attention != "rotary" or n_rotated(shape.width // shape.heads, shape.rotary_share) > 0
    in_order = "".join(place for place in CANON_PLACES if place in shape.canon)
    rules = (
        ("heads", shape.width % shape.heads == 0, f"a divisor of the width, {shape.width}"),
        ("canon", in_order == shape.canon, f'some of "{CANON_PLACES}", in this order'),
        ("rotary_share", 0 < shape.rotary_share <= 1, "in (0, 1]"),
        ("rotary_share", rotates, "a share with which at least two numbers of a head are rotated"),
        ("attention", not (shape.masked and shape.attention == "uniform"), "another one in a masked model"),
    )
    return next((Unsound(entry, expected) for entry, is_sound, expected in rules if not is_sound), None)
