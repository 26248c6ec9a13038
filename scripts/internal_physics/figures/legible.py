"""Text as the one font of all figures can show it: what it lacks is written as its code, so that labels stay apart.

Figures are the same bytes on every machine, so they use the font that comes with matplotlib and none of the machine's
own. It has Latin, Greek, Cyrillic, Hebrew and Arabic, but no Chinese, Japanese, Korean or Indian script, and few emoji:
日本 and 中国 would be the same two boxes. Here they are ⟨65E5 672C⟩ and ⟨4E2D 56FD⟩, their numbers in Unicode.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

FAMILY = "DejaVu Sans"
NOTE = "⟨ ⟩ holds the Unicode numbers of characters that this font lacks."


def legible(text: str) -> str:
    """The text with every run of characters that the font lacks, or that cannot be seen, as their numbers in ⟨ ⟩.

    Spaces and line breaks stay. A combining accent that stands for itself is written as a number too: with the letter
    before, it would look like the one character for both.
    """
    composed = unicodedata.normalize("NFC", text) == text
    runs = groupby(text, key=lambda character: _is_hidden(character, composed))
    return "".join(_stand_in(run) if hidden else "".join(run) for hidden, run in runs)


def _is_hidden(character: str, composed: bool) -> bool:
    combining = not composed and unicodedata.combining(character) != 0
    return combining or (ord(character) not in known_characters() and character not in "\n ")


def make_legible(figure: Figure) -> bool:
    """Write every text of a figure so that it can be read, and say whether any had to be changed."""
    changed = [_write_ticks(axis) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    for text in figure.findobj(Text):
        shown = legible(text.get_text())
        changed.append(shown != text.get_text())
        if changed[-1]:
            text.set_text(shown)
    return any(changed)


@lru_cache
def known_characters() -> frozenset[int]:
    """Code points that the font draws; controls, and blanks other than the space, are not among them."""
    drawn = get_font(findfont(FontProperties(family=FAMILY))).get_charmap()
    return frozenset(code for code in drawn if chr(code).isprintable())


def _stand_in(characters: Iterable[str]) -> str:
    return f"⟨{' '.join(f'{ord(character):02X}' for character in characters)}⟩"


def _write_ticks(axis: Axis) -> bool:
    """Labels of ticks are made anew at each drawing: it is what they are made of that has to be changed.

    Only ticks at places that were given have labels that were given; others are numbers, and are left untouched.
    """
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return False
    before = [text.get_text() for text in axis.get_ticklabels()]
    after = [legible(text) for text in before]
    if after != before:
        axis.set_ticks(axis.get_ticklocs(), labels=after)
    return after != before
