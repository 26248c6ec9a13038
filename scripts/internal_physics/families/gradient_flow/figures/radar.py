"""Radar of the five normalized gradient-flow scores, one line per model, and which models are told apart.

By the benchmark's convention further out is better.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes

from internal_physics.families.gradient_flow.figures.radar_bars import Ends, bar_ends, draw_bars
from internal_physics.families.pairs.apart import Apart, significance_of
from internal_physics.families.pairs.tables import MODEL_PAIRS
from internal_physics.families.scores.tables import SCORES, SCORES_NORMALIZED
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import Selection, require_columns, select
from internal_physics.figures.titles import in_condition
from internal_physics.ground.words import plural
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.read import TableBySet, read_table

AXES = {
    "isc": "Efficiency (ISC)",
    "ec": "Conservation (EC)",
    "isg": "Magnitude sync (ISG)",
    "isa": "Angular sync (ISA)",
    "isf": "Field structure (ISF)",
}
RINGS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Score 0 is a ring of its own, not the centre: there the zeros of all five axes would fall on one point.
HOLE = 0.25
LEGEND_COLUMNS = 4
RADAR_INCHES = 4.4
LEGEND_ROW_INCHES = 0.28
FEWEST_MODELS = 2
UNDECIDED = "#777777"
MIDDLE = 0.1  # |sin| of an angle below which its label is centred on the spoke


def figures(
    inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str], statistics: Mapping[str, Any]
) -> Figures:
    """One figure for each prompt set; a score with a status is drawn and marked."""
    table = TableBySet(inputs["scores_normalized"], SCORES_NORMALIZED)
    given = {
        "scores": read_table(inputs["scores"], SCORES),
        "model_pairs": read_table(inputs["model_pairs"], MODEL_PAIRS),
        "confidence_level": statistics["confidence_level"],
    }
    return by_set(partial(draw, show_flagged=True, **given), table, models, prompt_sets)


def draw(
    scores_normalized: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
    show_flagged: bool = False,
    scores: pd.DataFrame | None = None,
    model_pairs: pd.DataFrame | None = None,
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Figure:
    """Draw the normalized scores of all models on one prompt set.

    Args:
        scores_normalized: rows (model, condition, prompt_set, metric, score, status); score in [0, 1],
            larger is better, min-max over the models of the run.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models, which fixes their looks; by name when not given.
        show_flagged: draw a finite score whose status is not "ok" too, as a hollow marker, with its status
            in the note; else it is left out like one that is missing.
        scores: table `scores`; with `model_pairs` it gives the bars.
        model_pairs: table `model_pairs`; each spoke then says how many pairs of models it tells apart.
        confidence_level: of the intervals in `model_pairs`.

    Returns:
        A figure with one line per model. A score that is not ok leaves a gap in its model's line and is named
        in the note beneath.

    Raises:
        ValueError: columns are missing, the table has no such prompt set and condition, or only one model in it: a
            radar compares.
    """
    require_columns(scores_normalized, ["metric", "value_at_0", "value_at_1"])
    shown = scores_normalized[scores_normalized["metric"].isin(list(AXES))]
    chosen = select(shown, prompt_set, condition, values=["score"], models=models, show_flagged=show_flagged)
    _refuse_one_model(chosen, prompt_set)
    pairs = None if model_pairs is None else of_place(model_pairs, prompt_set, condition)
    apart = None if pairs is None else Apart(pairs, significance_of(confidence_level))
    with style.house_style():
        legend_inches = LEGEND_ROW_INCHES * -(-len(chosen.models) // LEGEND_COLUMNS)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, RADAR_INCHES + legend_inches)
        ax, below = _axes(figure, legend_inches)
        _label_spokes(ax, chosen.usable, apart, prompt_set, condition)
        looks = style.model_styles(chosen.models)
        for model in [model for model in chosen.models if model in set(chosen.usable["model"])]:
            _line(ax, chosen.usable[chosen.usable["model"] == model], model, looks[model])
        if pairs is not None and scores is not None:
            draw_bars(ax, list(AXES), _bars_of(chosen, of_place(scores, prompt_set, condition), pairs), looks)
        if chosen.usable.empty:
            below.text(0.5, 0.5, "no usable scores", ha="center", va="center")
        else:
            lines = ax.get_legend_handles_labels()
            below.legend(*lines, loc="center", ncols=LEGEND_COLUMNS, handlelength=3.2, columnspacing=1.5)
        return style.finish(
            figure,
            _title(prompt_set, condition, _n_prompts(scores_normalized, prompt_set)),
            [*_notes_on_pairs(apart, prompt_set, condition), *_notes(chosen)],
        )


def _refuse_one_model(chosen: Selection, prompt_set: str) -> None:
    shown = set(chosen.usable["model"]) | set(chosen.left_out["model"])
    if len(shown) < FEWEST_MODELS:
        raise ValueError(f"a radar compares models: only {', '.join(shown)} has scores on {prompt_set}")


def of_place(table: pd.DataFrame, prompt_set: str, condition: str) -> pd.DataFrame:
    """The rows of one prompt set and condition."""
    return table[(table["prompt_set"] == prompt_set) & (table["condition"] == condition)]


def _bars_of(chosen: Selection, scores: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, Ends]:
    """Metric -> ends of the bars of the models that are shown."""
    shown = scores.merge(chosen.usable[["model", "metric", "value_at_0", "value_at_1"]], on=["model", "metric"])
    return {metric: bar_ends(shown[shown["metric"] == metric], pairs[pairs["metric"] == metric]) for metric in AXES}


def _label_spokes(ax: PolarAxes, rows: pd.DataFrame, apart: Apart | None, prompt_set: str, condition: str) -> None:
    """Beneath the name of each spoke its scale, and how many pairs of models it tells apart; grey if it tells no pair
    apart.
    """
    labels = []
    for metric, name in AXES.items():
        of_metric = rows[(rows["metric"] == metric) & rows["value_at_0"].notna()].head(1)
        scale = [f"0 = {row.value_at_0:.4g}, 1 = {row.value_at_1:.4g}" for row in of_metric.itertuples()]
        said = [] if apart is None else [_apart_words(apart, (prompt_set, condition, metric))]
        labels.append("\n".join([name, *scale, *said]))
    ax.set_xticks(_angles()[:-1], labels=labels)
    for metric, label in zip(AXES, ax.get_xticklabels(), strict=True):
        is_open = apart is not None and not apart.n_apart((prompt_set, condition, metric))
        label.set(color=UNDECIDED if is_open else "black")


def _apart_words(apart: Apart, place: tuple[str, str, str]) -> str:
    n_pairs = plural(apart.n_pairs(place), "pair")
    return f"{apart.n_apart(place)} of {n_pairs} told apart" if apart.is_tested(place) else "not tested"


def _notes_on_pairs(apart: Apart | None, prompt_set: str, condition: str) -> list[str]:
    if apart is None:
        return []
    none_apart = not any(apart.n_apart((prompt_set, condition, metric)) for metric in AXES)
    first = ["No two models are told apart on this set: chance may explain these shapes."] if none_apart else []
    return [
        *first,
        "Bars: paired interval of the difference from the outermost model of the spoke; one that reaches that model "
        f"includes a difference of zero. Told apart: adjusted p < {apart.significance:g}, prompt by prompt.",
    ]


def _axes(figure: Figure, legend_inches: float) -> tuple[PolarAxes, Axes]:
    grid = figure.add_gridspec(2, 1, height_ratios=[RADAR_INCHES, legend_inches])
    ax = cast(PolarAxes, figure.add_subplot(grid[0], projection="polar"))
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    ax.set_ylim(0, 1.04)
    ax.set_rorigin(-HOLE)
    ax.set_yticks(RINGS, labels=[])
    _label_rings(ax)
    ax.set_xticks(_angles()[:-1], labels=list(AXES.values()))
    for angle, label in zip(_angles(), ax.get_xticklabels(), strict=False):
        outward = np.sin(angle)
        side_of_text = "center" if abs(outward) < MIDDLE else ("left" if outward > 0 else "right")
        label.set(fontweight="bold", ha=side_of_text)
    ax.tick_params(axis="x", pad=6)
    ax.spines["polar"].set_visible(False)
    ax.spines["inner"].set(color="#999999", linewidth=0.6)
    below = figure.add_subplot(grid[1])
    below.set_axis_off()
    return ax, below


def _label_rings(ax: PolarAxes) -> None:
    """In the middle between two spokes, and above the lines."""
    box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6}
    for ring in RINGS:
        text = ax.text(np.pi / len(AXES), ring, f"{ring:g}", ha="center", va="center", bbox=box)
        text.set(color="#555555", zorder=4, gid="ring")


def _angles() -> np.ndarray:
    """[axes + 1] angles in radians, the first again at the end so that a line closes."""
    return np.linspace(0.0, 2 * np.pi, len(AXES) + 1)


def _line(ax: PolarAxes, rows: pd.DataFrame, model: str, look: style.ModelStyle) -> None:
    scores = rows.set_index("metric")["score"].reindex(list(AXES)).to_numpy(dtype=float)
    # A missing score stays NaN: the line breaks there, where a chord between its neighbours would invent one.
    ax.plot(
        _angles(),
        np.append(scores, scores[0]),
        **look.line(),
        markersize=7.5,
        markeredgecolor="white",
        markeredgewidth=0.7,
        label=style.wrap_name(model, 18),
        gid=model,
        clip_on=False,
    )
    _mark_flagged(ax, rows, look)


def _mark_flagged(ax: PolarAxes, rows: pd.DataFrame, look: style.ModelStyle) -> None:
    """A hollow marker over each score whose status is not "ok"."""
    for row in rows[rows["status"] != "ok"].itertuples():
        angle = _angles()[list(AXES).index(row.metric)]
        hollow: dict[str, Any] = {"markersize": 7.5, "markerfacecolor": "white", "markeredgecolor": look.color}
        ax.plot(angle, row.score, marker=look.marker, **hollow, clip_on=False, zorder=3, gid="flagged")


def _n_prompts(scores_normalized: pd.DataFrame, prompt_set: str) -> int | None:
    """Prompts behind the scores of a set; None where the table does not say."""
    of_set = scores_normalized[scores_normalized["prompt_set"] == prompt_set]
    return int(of_set["n_prompts"].max()) if "n_prompts" in of_set and len(of_set) else None


def _title(prompt_set: str, condition: str, n_prompts: int | None) -> str:
    size = "" if n_prompts is None else f" ({plural(n_prompts, 'prompt')})"
    return f"Gradient-flow scores on {prompt_set}{size}{in_condition(condition)}"


def _notes(chosen: Selection) -> list[str]:
    shown = chosen.usable["model"].nunique()
    notes = [
        "Each axis is 1/(metric + 1e-9), stretched between the values at 0 and 1 beneath its name: the largest and the "
        f"smallest of the {plural(shown, 'model')} shown here, not of all models that exist (or those of score_scale); "
        "0.5 where all are equal."
    ]
    shown_status, why_not = (
        rows.set_index(["model", "metric"])["status"].to_dict() for rows in (chosen.usable, chosen.left_out)
    )
    places = list(product(chosen.models, AXES))
    care = _by_reason((*p, shown_status[p]) for p in places if shown_status.get(p, "ok") != "ok")
    missing = _by_reason((*p, why_not.get(p, "not in the table")) for p in places if p not in shown_status)
    notes += [f"Hollow, read with care: {'; '.join(care)}."] if care else []
    return notes + ([f"Drawn without a vertex: {'; '.join(missing)}."] if missing else [])


def _by_reason(marks: Iterable[tuple[str, str, str]]) -> list[str]:
    """'model Axis, Axis (reason)' from triples (model, metric, reason)."""
    axes: dict[tuple[str, str], list[str]] = {}
    for model, metric, reason in marks:
        axes.setdefault((model, reason), []).append(AXES[metric])
    return [
        f"{model} {'on every axis' if len(names) == len(AXES) else ', '.join(names)} ({reason})"
        for (model, reason), names in axes.items()
    ]
