"""The figure of the correlations: what is drawn, and what is left out and named."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import by_gid
from internal_physics.families.scores.figures import correlation_matrix
from internal_physics.figures import style
from matplotlib.colors import to_rgb
from matplotlib.text import Text


def correlations(**changes):
    row = {
        "x": "ec",
        "y": "isc",
        "level": "prompt",
        "n": 80,
        "pearson_r": 0.5,
        "p_adjusted": 0.03,
        "status": "ok",
    }
    return pd.DataFrame([row | changes])


@pytest.mark.parametrize(("p", "mark"), [(0.0009, "***"), (0.001, "**"), (0.01, "*"), (0.05, ""), (float("nan"), "")])
def test_stars_follow_the_adjusted_p(p, mark):
    assert correlation_matrix.stars(p) == mark
    figure = correlation_matrix.draw(correlations(p_adjusted=p, pearson_r=-0.5))
    assert by_gid(figure, "cell")[0].get_text() == "\N{MINUS SIGN}0.50" + (f"\n{mark}" if mark else "")


def test_correlations_are_a_lower_triangle_with_n_and_a_legend(drawn):
    figure = drawn["correlation_matrix"]
    over_prompts, over_models = figure.axes[:2]
    assert len(by_gid(over_prompts, "cell")) == 10
    assert len(by_gid(over_models, "cell")) == 10
    assert [label.get_text() for label in over_models.get_xticklabels()] == ["ISC", "EC", "ISG", "ISA"]
    assert [label.get_text() for label in over_models.get_yticklabels()] == ["EC", "ISG", "ISA", "ISF"]
    assert over_prompts.get_yticklabels()[-1].get_text() == "loss (nats)"
    assert all(text.get_position()[0] <= text.get_position()[1] for text in by_gid(figure, "cell"))
    assert "over prompts (n = 5) and over models (n = 3 to 4)" in figure.get_suptitle()
    assert "* < 0.05, ** < 0.01, *** < 0.001" in style.notes_of(figure)
    assert "Few models (n = 4)" in style.notes_of(figure)


def test_an_unusable_correlation_is_a_grey_cell_and_is_named():
    figure = correlation_matrix.draw(correlations(pearson_r=np.nan, status="a constant variable"))
    assert by_gid(figure, "cell")[0].get_text() == "n/a"
    face = figure.axes[0].patches[0].get_facecolor()[:3]
    assert face == pytest.approx(to_rgb(style.BLANK_COLOR))
    assert "n/a: every pair over prompts (a constant variable)" in style.notes_of(figure)


def test_a_flagged_correlation_is_left_out_or_carries_a_dagger():
    flagged = correlations(status="ec: 1 of 20 missing")
    assert by_gid(correlation_matrix.draw(flagged), "cell")[0].get_text() == "n/a"
    figure = correlation_matrix.draw(flagged, show_flagged=True)
    assert by_gid(figure, "cell")[0].get_text() == "0.50†\n*"
    assert "† Read with care: every pair over prompts (ec: 1 of 20 missing)" in style.notes_of(figure)


def test_correlations_of_one_level_have_one_panel():
    assert len(correlation_matrix.draw(correlations()).axes) == 2  # the panel and its color bar


def test_an_empty_table_of_correlations_says_so():
    figure = correlation_matrix.draw(correlations().iloc[:0])
    assert "no correlations in the table" in [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (correlations(level="token"), "unknown levels"),
        (pd.concat([correlations(), correlations(x="isc", y="ec")]), "occurs twice"),
    ],
)
def test_a_wrong_table_of_correlations_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        correlation_matrix.draw(table)
