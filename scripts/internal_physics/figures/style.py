"""The one look of all figures: style file, colors of the models, titles and notes, and byte-exact saving."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from internal_physics.figures.legible import NOTE, legible, make_legible
from internal_physics.figures.look import current
from internal_physics.ground.files import whole_file

STYLE_FILE = Path(__file__).with_name("internal_physics.mplstyle")
PAGE_WIDTH_INCHES = 7.1
BLANK_COLOR = "#e6e6e6"
BLANK_HATCH = "////"
MINUS = "\N{MINUS SIGN}"  # by name: in a source file it looks like a hyphen

# Okabe and Ito's colors (2008), in an order that alternates hue. Their yellow is too faint on white; a dark
# brown takes its place, of a lightness that no other color has, which color-blind eyes see too.
MODEL_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#5B3A00")
MODEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MODEL_LINESTYLES = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 2)),
    (0, (8, 1.5, 2, 1.5)),
)

FEW_DECADES = 300.0  # the ratio of a log axis's ends up to which 2 and 5 are labelled
_NOTE_POINTS = 8.0
_TITLE_POINTS = 10.0
_LINE_HEIGHT = 1.35  # of the font size
_MARGIN_INCHES = 0.06
_POINTS_PER_INCH = 72.0
_HINTING = 0.97  # letters fitted to pixels run up to 2 % wider than their outlines
_POSITION_DECIMALS = 5  # of the figure's size: 2 micrometres
_SYMBOLS = re.compile(r"\b[ec]_l\b")  # set as formulas wherever a title or a note has them


@dataclass(frozen=True)
class ModelStyle:
    """How one model looks in every figure of a run; color, marker and line each tell it apart alone.

    Attributes:
        color: "#rrggbb".
        marker: a matplotlib marker.
        linestyle: a matplotlib line style.
    """

    color: str
    marker: str
    linestyle: str | tuple

    def line(self) -> dict[str, Any]:
        """Keyword arguments for `Axes.plot`."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the style file over matplotlib's defaults, ignoring any matplotlibrc; undo on leaving.

    Settings of the present look (see `look`) count more; the workflow has none.
    """
    with mpl.rc_context(fname=STYLE_FILE):
        mpl.rcParams.update(current().settings)
        yield


def model_styles(models: Sequence[str]) -> dict[str, ModelStyle]:
    """Give each model its look by its place in `models`, so that the same list always gives the same looks.

    Where the present look (see `look`) has an order of models, a model has its place there, whoever is drawn.

    Past eight models the colors come again with other markers and lines: 64 different looks, then a cycle.

    Raises:
        ValueError: a model is named twice.
    """
    if len(set(models)) != len(models):
        raise ValueError(f"a model is named twice in {list(models)}")
    order = current().models if set(models) <= set(current().models) else tuple(models)
    size = len(MODEL_COLORS)
    return {
        model: ModelStyle(
            MODEL_COLORS[index % size],
            MODEL_MARKERS[(index + index // size) % size],
            MODEL_LINESTYLES[(index + index // size) % size],
        )
        for model, index in ((model, order.index(model)) for model in models)
    }


def wrap_name(name: str, width: int = 20) -> str:
    """Break a long model name over lines, at hyphens where it has them; every character stays."""
    return literal("\n".join(textwrap.wrap(name, width, break_on_hyphens=True)) or name)


def literal(text: str) -> str:
    """Keep matplotlib from reading formulas between the dollar signs of a name."""
    return text.replace("$", r"\$")


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure of this print size, bound to no window and to no global state."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def finish(figure: Figure, title: str, notes: Iterable[str] = ()) -> Figure:
    """Put a title above and notes beneath; the figure grows by the room they take, the axes keep theirs.

    Args:
        figure: made by `new_figure`; changed in place.
        title: one sentence.
        notes: sentences or short paragraphs, one a line, wrapped to the figure's width; where numbers had to stand for
            characters that the font lacks, one more says so.

    Returns:
        The same figure.
    """
    if make_legible(figure) or legible(title) != title:
        notes = [*notes, NOTE]
    width, height = figure.get_size_inches()
    shown = current()
    title_text = _wrap(title, width, _TITLE_POINTS, "bold") if shown.title else ""
    note_text = "\n".join(_wrap(note, width, _NOTE_POINTS, "normal") for note in notes if shown.notes)
    title_inches = _height_inches(title_text, _TITLE_POINTS) + 0.12 if title_text else 0.0
    note_inches = _height_inches(note_text, _NOTE_POINTS) + 0.1 if note_text else 0.0
    total = height + title_inches + note_inches
    figure.set_size_inches(width, total)
    layout_of(figure).set(rect=(0, note_inches / total, 1, height / total))
    left = _MARGIN_INCHES / width
    if title_text:
        figure.suptitle(title_text, x=left, y=1 - 0.05 / total, ha="left", va="top")
    if note_text:
        figure.text(
            left,
            0.05 / total,
            note_text,
            ha="left",
            va="bottom",
            color="#444444",
            fontsize=_NOTE_POINTS,
            linespacing=_LINE_HEIGHT - 0.1,
            gid="note",
        )
    _freeze_layout(figure)
    return figure


def notes_of(figure: Figure) -> str:
    """The notes that `finish` put beneath a figure, as one line of text; empty when it has none."""
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts if text.get_gid() == "note")


def layout_of(figure: Figure) -> ConstrainedLayoutEngine:
    """The layout of a figure that `new_figure` made, to change its paddings."""
    return cast(ConstrainedLayoutEngine, figure.get_layout_engine())


def column_of(ax: Axes) -> int:
    """Column of the grid that a panel begins in.

    Raises:
        ValueError: it is in no grid.
    """
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("the panel is in no grid")
    return place.colspan.start


def plain_log_labels(axis: Axis) -> None:
    """Label a log axis with plain numbers (0.1, 1, 10); at 2 and 5 too where it shows few decades."""
    low, high = axis.get_view_interval()
    number = FuncFormatter(lambda value, _: f"{value:g}")
    axis.set_major_formatter(number)
    axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    axis.set_minor_formatter(number if high < FEW_DECADES * low else NullFormatter())


def empty_panel(ax: Any, message: str = "no usable rows") -> None:
    """Say in words that a panel has nothing to show."""
    ax.set_facecolor(BLANK_COLOR)
    ax.grid(False)
    ax.text(0.5, 0.5, message, ha="center", va="center", transform=ax.transAxes)


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write a figure as .png (220 dpi), .svg or .pdf; the same figure gives the same bytes on every run.

    Each file is there whole or not at all.

    Raises:
        ValueError: a path has another ending.
    """
    # A date, or the version of matplotlib, would make equal figures differ.
    metadata = {
        ".png": {"Software": None},
        ".svg": {"Date": None, "Creator": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    for path in map(Path, paths):
        if path.suffix not in metadata:
            raise ValueError(f"cannot write a figure as {path.name}: expected {', '.join(metadata)}")
        with whole_file(path) as temporary, house_style():
            figure.savefig(temporary, format=path.suffix[1:], metadata=metadata[path.suffix])


def _freeze_layout(figure: Figure) -> None:
    """Lay out once and keep it: a layout repeated at each saving creeps, and differs with the resolution.

    A figure without a layout engine is drawn once for each file; with any, also with one that does nothing, twice.
    """
    if figure.axes:  # as matplotlib does before it draws
        layout_of(figure).execute(figure)
    figure.set_layout_engine(None)
    for ax in figure.axes:
        # The solver's last bits change from run to run, and with them the names of clip paths in an SVG.
        left, bottom, width, height = ax.get_position(original=True).bounds
        ax.set_position(Bbox.from_bounds(*(round(n, _POSITION_DECIMALS) for n in (left, bottom, width, height))))


def _wrap(text: str, width_inches: float, points: float, weight: str) -> str:
    """Break text between words so that no line, as measured in the font, is wider than the figure."""
    font = FontProperties(size=points, weight=weight)
    room = (width_inches - 2 * _MARGIN_INCHES) * _POINTS_PER_INCH * _HINTING
    lines = [""]
    for word in legible(text).split():
        longer = f"{lines[-1]} {word}".lstrip()
        width, _, _ = text_to_path.get_text_width_height_descent(longer, font, ismath=False)
        lines = [*lines[:-1], longer] if width <= room or not lines[-1] else [*lines, word]
    return _SYMBOLS.sub(r"$\g<0>$", literal("\n".join(lines)))


def _height_inches(text: str, points: float) -> float:
    return (text.count("\n") + 1) * points * _LINE_HEIGHT / _POINTS_PER_INCH
