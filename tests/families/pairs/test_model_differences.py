"""The figure of differences: what is drawn filled, what is left out and named, and that it fits on the page."""

import itertools

import numpy as np
import pytest
from figure_texts import SMALLEST_POINTS, by_gid, visible_texts
from internal_physics.families.pairs.figures.model_differences import draw
from internal_physics.families.pairs.tables import ALL_SETS
from internal_physics.figures import style
from synthetic_tables import MODELS, make_tables

SETS = ("factual", "nonsense")


@pytest.fixture(scope="module")
def pairs():
    return make_tables(4, 5, 6, SETS)["model_pairs"]


def test_each_score_has_a_panel_and_each_set_a_row(pairs):
    figure = draw(pairs, models=MODELS[:4])
    panels = figure.axes[:5]
    assert [ax.get_title(loc="left") or ax.get_title() for ax in panels] == ["EC", "ISC", "ISG", "ISA", "loss"]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == [f"{n} ({k})" for n, k in rows_of(pairs)]
    assert figure.get_suptitle() == f"Difference of each model from {MODELS[0]}, prompt by prompt"


def rows_of(pairs):
    return [(name, pairs.loc[pairs["prompt_set"] == name, "n_prompts"].max()) for name in (*SETS, ALL_SETS)]


def test_a_marker_stands_at_the_change_in_percent_and_is_filled_where_told_apart(pairs):
    is_apart = (pairs["model"] == MODELS[1]) & (pairs["metric"] == "ec")
    shown = pairs.assign(p_adjusted=np.where(is_apart, 0.01, 0.5))
    figure = draw(shown, models=MODELS[:4])
    for model in MODELS[1:4]:
        (marker,) = by_gid(figure.axes[0], f"ec {model} factual")
        wanted = {"model": model, "reference": MODELS[0], "metric": "ec", "prompt_set": "factual"}
        (row,) = shown[(shown[list(wanted)] == wanted).all(axis=1)].itertuples()
        assert marker.get_xdata()[0] == pytest.approx(100 * (row.ratio - 1))
        assert (marker.get_markerfacecolor() != "white") == (model == MODELS[1])
    assert "told apart (adjusted p < 0.05)" in style.notes_of(figure)


def test_scores_beyond_the_panels_are_named(pairs):
    more = pairs.assign(metric=pairs["metric"].replace({"isf": "drift"}))
    ends = {"ratio": 1.1, "ratio_ci_low": 1.0, "ratio_ci_high": 1.2}
    more.loc[more["metric"] == "drift", list(ends)] = list(ends.values())
    assert "Not shown, see table model_pairs: " in style.notes_of(draw(more))


def test_nothing_to_compare_says_so(pairs):
    figure = draw(pairs[pairs["metric"] == "isf"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["no two models have enough prompts to be compared"]


@pytest.mark.parametrize("n_models", [2, 8])
def test_nothing_is_clipped_or_overlaps_or_is_too_small(n_models):
    figure = draw(make_tables(n_models, 6, 6, ("factual", "a-rather-long-name-of-a-set"))["model_pairs"])
    texts = visible_texts(figure)
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in texts:
        assert text.get_fontsize() >= SMALLEST_POINTS, text.get_text()
        assert -1 <= box.x0 <= box.x1 <= width + 1, text.get_text()
        assert -1 <= box.y0 <= box.y1 <= height + 1, text.get_text()
    for (one, box), (other, other_box) in itertools.combinations(texts, 2):
        overlap_x = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        overlap_y = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert min(overlap_x, overlap_y) < 3, (one.get_text(), other.get_text())
