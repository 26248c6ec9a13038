"""Tokens as text that a figure can show: nothing invisible, nothing the font lacks, nothing too long."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from internal_physics.figures.legible import FAMILY, legible
from internal_physics.figures.style import literal

SPACE, NEWLINE, TAB, ELLIPSIS = "·", "↵", "→", "…"
_VISIBLE = {" ": SPACE, "\n": NEWLINE, "\t": TAB, "\r": NEWLINE}
NOTE = f"In tokens, {SPACE} is a space, {NEWLINE} a line break, ⟨ ⟩ the Unicode number of what this font lacks."


def readable(token: str) -> str:
    """A token with its spaces and line breaks made visible; a single leading space, as of most words, is dropped.

    Characters that the font lacks become their numbers, see figures.legible; an empty token becomes "(empty)".
    """
    shown = token[1:] if len(token) > 1 and token[0] == " " and token[1] not in _VISIBLE else token
    return legible("".join(_VISIBLE.get(c, c) for c in shown)) or "(empty)"


def fitted(token: str, width_points: float, font_points: float = 8.0) -> str:
    """A token as `readable` shows it, cut with an ellipsis to at most this width; escaped for matplotlib."""
    text = readable(token)
    if _width(text, font_points) <= width_points:
        return literal(text)
    while text and _width(text + ELLIPSIS, font_points) > width_points:
        text = text[:-1]
    return literal(text + ELLIPSIS)


@lru_cache(maxsize=4096)
def _width(text: str, points: float) -> float:
    font = FontProperties(family=FAMILY, size=points)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
