"""Tokens as text that a figure can show: nothing invisible, nothing the font lacks, nothing too long."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from internal_physics.figures.style import literal

SPACE, NEWLINE, TAB, MISSING, ELLIPSIS = "·", "↵", "→", "▯", "…"
_VISIBLE = {" ": SPACE, "\n": NEWLINE, "\t": TAB, "\r": NEWLINE}
_FAMILY = "DejaVu Sans"
NOTE = f"In tokens, {SPACE} is a space, {NEWLINE} a line break, {MISSING} a character that this font lacks."


def readable(token: str) -> str:
    """A token with its spaces and line breaks made visible; a single leading space, as of most words, is dropped.

    Characters that the font lacks become ▯; an empty token becomes "(empty)".
    """
    shown = token[1:] if len(token) > 1 and token[0] == " " and token[1] not in _VISIBLE else token
    known = _known_characters()
    return "".join(_VISIBLE.get(c, c if ord(c) in known else MISSING) for c in shown) or "(empty)"


def fitted(token: str, width_points: float, font_points: float = 8.0) -> str:
    """A token as `readable` shows it, cut with an ellipsis to at most this width; escaped for matplotlib."""
    text = readable(token)
    if _width(text, font_points) <= width_points:
        return literal(text)
    while text and _width(text + ELLIPSIS, font_points) > width_points:
        text = text[:-1]
    return literal(text + ELLIPSIS)


@lru_cache
def _known_characters() -> frozenset[int]:
    """Code points that the font draws; controls are not among them."""
    drawn = get_font(findfont(FontProperties(family=_FAMILY))).get_charmap()
    return frozenset(code for code in drawn if chr(code).isprintable())


@lru_cache(maxsize=4096)
def _width(text: str, points: float) -> float:
    font = FontProperties(family=_FAMILY, size=points)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
