"""Text for a terminal: headings, paragraphs and tables with bars, at most 80 columns wide. Pure functions.

A document is a list of blocks; `render` makes lines of it. What a cell shows is text, or a bar of a share in [0, 1].
"""

import math
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 80  # columns
BAR_WIDTH = 8
EIGHTHS = " ▏▎▍▌▋▊▉█"
MISSING = "-"
_GAP = "  "
_CODES = {"heading": "1", "bar": "36", "alarm": "33", "faint": "2", "good": "32", "bad": "31"}
_ASCII = {"‖": "|", "−": "-", "∂": "d", "×": "x", "·": ".", "→": "->", "…": "...", "≥": ">=", "≤": "<=", "√": "sqrt "}
_ASCII |= {"–": "-", "“": '"', "”": '"', "’": "'", "²": "^2", "✓": "+", "✗": "x"}


@dataclass(frozen=True)
class Style:
    """How text may be written.

    Attributes:
        unicode: whether the terminal can show block elements and mathematical signs; otherwise ASCII is written.
        color: whether escape sequences may be written.
        width: columns of a line.
    """

    unicode: bool = True
    color: bool = False
    width: int = WIDTH


@dataclass(frozen=True)
class Heading:
    """The title of a part, with a remark beside it."""

    text: str
    remark: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph, wrapped. `tone` is a key of the colours or "", and `hanging` indents all lines but the first."""

    text: str
    tone: str = ""
    hanging: int = 0


@dataclass(frozen=True)
class Bar:
    """A bar for a share in [0, 1]; empty for NaN."""

    share: float


Cell = str | Bar


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: its head.
        right: whether its cells end at the right edge, as numbers do.
        shrinks: whether long texts may be cut where the table is too wide.
    """

    title: str
    right: bool = False
    shrinks: bool = False


@dataclass(frozen=True)
class Grid:
    """A table: columns, and rows with as many cells."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


Block = Heading | Text | Grid


def render(blocks: Iterable[Block], style: Style) -> str:
    """The whole document, with a blank line before every heading but the first."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            lines += [""] if lines else []
            lines += _heading(block, style)
        elif isinstance(block, Text):
            lines += [painted(line, block.tone, style) for line in _wrapped(block, style)]
        else:
            lines += _grid(block, style)
    return "\n".join(lines) + "\n"


def number(value: float, digits: int = 3) -> str:
    """A number to read, with `digits` significant ones; `MISSING` for NaN."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 10**6:
        after_point = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:.{after_point}f}"
    return f"{value:.{digits - 1}e}"


def percent(share: float) -> str:
    """A share as percent: "12.3 %"; tiny ones as "<0.1 %"."""
    if math.isnan(share):
        return MISSING
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def quoted(text: str) -> str:
    """A token in quotes, so that blanks show; control characters and quotes are escaped."""
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)}"'


def shares(values: Sequence[float], low: float = 0.0) -> list[float]:
    """Each value as a share of the largest, from `low` to it; NaN stays NaN, and an infinite value fills the bar."""
    finite = [value for value in values if math.isfinite(value)]
    span = max(finite, default=low) - low
    return [_share(value, low, span) for value in values]


def log_shares(values: Sequence[float]) -> list[float]:
    """Each value as a share on a logarithmic scale, the smallest an eighth of a column; NaN for values ≤ 0."""
    logs = [math.log(value) if value > 0 else math.nan for value in values]
    low = min((one for one in logs if math.isfinite(one)), default=0.0)
    least = 1 / (8 * BAR_WIDTH)
    return [least + (1 - least) * share for share in shares(logs, low)]


def _share(value: float, low: float, span: float) -> float:
    if math.isnan(value):
        return math.nan
    if math.isinf(value):
        return 1.0 if value > 0 else 0.0
    return min(1.0, max(0.0, (value - low) / span)) if span > 0 else 0.0


def bar(share: float, style: Style, width: int = BAR_WIDTH) -> str:
    """A bar of `width` columns, in steps of an eighth of a column, or of one in ASCII; empty for NaN."""
    if math.isnan(share):
        return " " * width
    if not style.unicode:
        return ("#" * round(share * width)).ljust(width)
    whole, rest = divmod(round(share * width * 8), 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width)


def painted(text: str, tone: str, style: Style) -> str:
    """The text in the colour of a tone, where colours may be written."""
    return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if tone and style.color and text.strip() else text


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: two for wide characters, none for combining ones."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shown(text: str, style: Style) -> str:
    """A text in the characters that the terminal can show; others are written as escapes."""
    if style.unicode:
        return text
    plain = "".join(_ASCII.get(character, character) for character in text)
    return plain.encode("ascii", "backslashreplace").decode()


def cut(text: str, width: int, style: Style) -> str:
    """The text in at most `width` columns; a longer one ends in an ellipsis."""
    if columns_of(text) <= width:
        return text
    ellipsis = "…" if style.unicode else "~"
    kept = ""
    for character in text:
        if columns_of(kept + character) > width - 1:
            break
        kept += character
    return kept + ellipsis


def _heading(block: Heading, style: Style) -> list[str]:
    *above, title = _lines(shown(block.text, style), style.width)
    remark = shown(block.remark, style)
    lines = [painted(line, "heading", style) for line in (*above, title)]
    if columns_of(title) + len(_GAP) + columns_of(remark) <= style.width:
        return [*lines[:-1], lines[-1] + (_GAP + painted(remark, "faint", style) if remark else "")]
    return [*lines, *(painted(line, "faint", style) for line in _lines(remark, style.width) if remark)]


def _wrapped(block: Text, style: Style) -> list[str]:
    return _lines(shown(block.text, style), style.width, block.hanging)


def _lines(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines of a paragraph; a text with wide characters is wrapped as if all were wide."""
    factor = 2 if columns_of(text) > len(text) else 1
    lines = textwrap.wrap(text, width // factor, subsequent_indent=" " * hanging, break_on_hyphens=False)
    return lines or [""]


def _grid(grid: Grid, style: Style) -> list[str]:
    cells = [[c if isinstance(c, Bar) else shown(c, style) for c in row] for row in grid.rows]
    titles = [shown(column.title, style) for column in grid.columns]
    widths = _fitting(grid.columns, [_natural(title, column) for title, column in _by_column(titles, cells)], style)
    head = _line([*titles], grid.columns, widths, style)
    return [painted(head, "faint", style), *(_line(row, grid.columns, widths, style) for row in cells)]


def _by_column(titles: Sequence[str], cells: Sequence[Sequence[Cell]]) -> list[tuple[str, list[Cell]]]:
    return [(title, [row[i] for row in cells]) for i, title in enumerate(titles)]


def _natural(title: str, cells: Iterable[Cell]) -> int:
    return max([columns_of(title), *(BAR_WIDTH if isinstance(c, Bar) else columns_of(c) for c in cells)])


def _fitting(columns: Sequence[Column], widths: Sequence[int], style: Style) -> list[int]:
    """Widths that fit into a line: what is too much is taken from the widest of the columns that may shrink."""
    fitted = list(widths)
    may_shrink = [i for i, column in enumerate(columns) if column.shrinks]
    while sum(fitted) + len(_GAP) * (len(fitted) - 1) > style.width and may_shrink:
        widest = max(may_shrink, key=lambda i: fitted[i])
        if fitted[widest] <= 1:
            break
        fitted[widest] -= 1
    return fitted


def _line(row: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], style: Style) -> str:
    parts = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        if isinstance(cell, Bar):
            drawn = bar(cell.share, style, width)
            parts.append(painted(drawn.rstrip(), "bar", style) + " " * (width - len(drawn.rstrip())))
            continue
        text = cut(cell, width, style)
        blank = " " * (width - columns_of(text))
        parts.append(blank + text if column.right else text + blank)
    return _GAP.join(parts).rstrip()
