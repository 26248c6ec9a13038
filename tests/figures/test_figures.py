"""Figures: what is drawn, what is left out and named, that it fits on the page, and equal bytes on every run."""

import itertools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn_figures import draw_all
from figure_texts import SMALLEST_POINTS, by_gid, visible_texts
from internal_physics.families.gradient_flow.figures import isf_spectrum, layer_heatmap, layer_profiles, radar
from internal_physics.figures import selection, style
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic_tables import MODELS, make_tables

# ---- layout -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_models", [1, 2, 4, 8])
def test_nothing_is_clipped_or_overlaps_or_is_too_small(n_models):
    figures = draw_all(make_tables(n_models, n_prompts=3, n_layers=12))
    for kind, figure in figures.items():
        texts = visible_texts(figure)
        width, height = figure.bbox.width, figure.bbox.height
        assert figure.get_size_inches()[0] <= style.PAGE_WIDTH_INCHES
        for text, box in texts:
            assert text.get_fontsize() >= SMALLEST_POINTS, (kind, text.get_text())
            assert -1 <= box.x0 <= box.x1 <= width + 1, (kind, text.get_text())
            assert -1 <= box.y0 <= box.y1 <= height + 1, (kind, text.get_text())
        for (one, box), (other, other_box) in itertools.combinations(texts, 2):
            overlap_x = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
            overlap_y = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
            assert min(overlap_x, overlap_y) < 3, (kind, one.get_text(), other.get_text())


# ---- style --------------------------------------------------------------------------------------------------


def test_eight_models_differ_in_color_marker_and_line():
    looks = style.model_styles(MODELS)
    for aspect in ("color", "marker", "linestyle"):
        assert len({getattr(look, aspect) for look in looks.values()}) == len(MODELS)


def test_past_eight_models_no_two_look_the_same():
    looks = style.model_styles([f"model-{index}" for index in range(40)])
    assert len(set(looks.values())) == 40


def test_a_model_keeps_its_look_between_figures(drawn, tables):
    models = sorted(tables["scores"]["model"].unique())
    expected = style.model_styles(models)
    spectrum = drawn["isf_spectrum"]
    for ax in spectrum.axes[:3]:
        model = ax.get_title(loc="left")
        (line,) = by_gid(ax, "eigenvalues")
        assert (line.get_color(), line.get_marker()) == (expected[model].color, expected[model].marker)
    lines = drawn["radar"].axes[0].get_lines()
    assert {line.get_gid() for line in lines} == set(models)
    for line in lines:
        assert line.get_color() == expected[line.get_gid()].color


def test_the_order_of_models_fixes_colors_and_places(tables):
    order = ["smollm2-nf4", "smollm2-int8", "smollm2-fp32", "smollm2-bf16"]
    figure = layer_profiles.draw(tables["layers"], "factual", models=order)
    assert [ax.get_title(loc="left") for ax in figure.axes][::2] == order
    assert by_gid(figure.axes[0], "mean")[0].get_color() == style.MODEL_COLORS[0]


def test_an_order_that_lacks_a_model_is_refused(tables):
    with pytest.raises(ValueError, match=r"lacks \['smollm2-nf4'\]"):
        layer_profiles.draw(tables["layers"], "factual", models=list(MODELS[:3]))


def test_a_model_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        style.model_styles(["a", "a"])


def test_dollar_signs_in_a_name_are_not_read_as_a_formula(tables, tmp_path):
    strange = tables["scores_normalized"].replace({"model": {"smollm2-fp32": "$a_b$-$c"}})
    figure = radar.draw(strange, "factual")
    assert r"\$a_b\$-\$c" in [text.get_text() for text in figure.findobj(Text)]
    style.save(figure, [tmp_path / "x.png"])


def test_drawing_and_saving_do_not_change_the_global_style(tables, tmp_path):
    before = {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}
    style.save(radar.draw(tables["scores_normalized"], "factual"), [tmp_path / "x.png"])
    assert {key: mpl.rcParams[key] for key in before} == before


def test_equal_tables_give_equal_bytes(tmp_path):
    for run in ("a", "b"):
        for kind, figure in draw_all(make_tables(2, n_prompts=3, n_layers=3)).items():
            style.save(figure, [tmp_path / run / f"{kind}.png", tmp_path / run / f"{kind}.svg"])
    first = sorted((tmp_path / "a").iterdir())
    assert len(first) == 10
    for path in first:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_saving_the_same_figure_twice_gives_equal_bytes_and_no_date(drawn, tmp_path):
    figure = drawn["isf_spectrum"]
    style.save(figure, [tmp_path / "a.svg", tmp_path / "b.svg"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "<dc:date>" not in (tmp_path / "a.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


def test_a_pdf_for_a_paper_has_its_fonts_within_and_equal_bytes_on_every_run(drawn, tmp_path):
    style.save(drawn["radar"], [tmp_path / "a.pdf", tmp_path / "b.pdf"])
    written = (tmp_path / "a.pdf").read_bytes()
    assert written == (tmp_path / "b.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert b"/FontFile2" in written  # TrueType; journals refuse Type 3
    assert b"/Type3" not in written
    assert b"/CreationDate" not in written


def test_a_png_has_at_least_200_dpi(drawn, tmp_path):
    figure = drawn["radar"]
    style.save(figure, [tmp_path / "a.png"])
    width_pixels = int.from_bytes((tmp_path / "a.png").read_bytes()[16:20], "big")
    assert width_pixels >= 200 * figure.get_size_inches()[0]


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x\.eps.*\.png, \.svg, \.pdf"):
        style.save(Figure(), [tmp_path / "x.eps"])


# ---- selection ----------------------------------------------------------------------------------------------


def test_a_row_with_status_ok_but_without_a_finite_value_is_left_out_with_a_reason():
    rows = pd.DataFrame({"value": [1.0, np.inf, np.nan], "status": ["ok", "ok", "diverged"]})
    usable, left_out = selection.split(rows, ["value"])
    assert list(usable["value"]) == [1.0]
    assert list(left_out["status"]) == ["value is not finite", "diverged"]
    assert list(rows["status"]) == ["ok", "ok", "diverged"], "the caller's table must not change"


@pytest.mark.parametrize("drawer", [layer_profiles.draw, layer_heatmap.draw])
def test_an_unknown_prompt_set_is_named(tables, drawer):
    with pytest.raises(ValueError, match="no rows for prompt set 'nosuch'"):
        drawer(tables["layers"], "nosuch")
    with pytest.raises(ValueError, match="condition 'steered'"):
        drawer(tables["layers"], "factual", "steered")


def test_a_missing_column_is_named(tables):
    with pytest.raises(ValueError, match=r"lacks the columns \['eigenvalue'\]"):
        isf_spectrum.draw(tables["isf_spectra"].drop(columns="eigenvalue"), "factual")


def test_many_reasons_are_cut_short_with_their_number():
    left_out = pd.DataFrame({"model": "m", "status": [f"bad {i}" for i in range(9)], "prompt": "p"})
    (note,) = selection.left_out_notes(left_out)
    assert "m, 1 prompt (bad 4); and 4 more" in note


def test_models_left_out_alike_share_one_entry():
    left_out = pd.DataFrame({"model": ["a", "a", "b", "b", "c"], "status": "bad", "prompt": ["p", "q", "p", "q", "p"]})
    assert selection.left_out_notes(left_out) == ["Left out: a, b, 2 prompts each (bad); c, 1 prompt (bad)."]
