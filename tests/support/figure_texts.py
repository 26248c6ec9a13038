"""What the tests of figures look at: texts that a reader sees, artists by their gid."""

from internal_physics.figures import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

SMALLEST_POINTS = 8.0


def by_gid(artist, gid):
    return artist.findobj(lambda found: found.get_gid() == gid)


def visible_texts(figure: Figure):
    """(text, bounding box in pixels) of everything written on the figure."""
    with style.house_style():
        FigureCanvasAgg(figure).draw()
        renderer = figure.canvas.get_renderer()
        hidden_ticks = {
            id(label)
            for ax in figure.axes
            for axis in (ax.xaxis, ax.yaxis)
            for ticks, view in ((axis.get_major_ticks() + axis.get_minor_ticks(), sorted(axis.get_view_interval())),)
            for tick in ticks
            for label in (tick.label1, tick.label2)
            if not (view[0] - 1e-9 <= tick.get_loc() <= view[1] + 1e-9) and ax.name != "polar"
        }
        return [
            (text, text.get_window_extent(renderer))
            for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and id(text) not in hidden_ticks
            and all(parent_visible(text, ax) for ax in figure.axes)
        ]  # fmt: skip


def parent_visible(text, ax):
    """Ticks of an axis that is switched off are never painted."""
    return ax.axison or text.axes is not ax or text in ax.texts or ax.get_legend() is not None
