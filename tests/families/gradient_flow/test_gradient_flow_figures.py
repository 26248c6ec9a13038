"""Radar, profiles, heatmap and ISF spectrum: what is drawn, and what is left out and named."""

import numpy as np
import pytest
from figure_texts import by_gid
from internal_physics.families.gradient_flow.figures import isf_spectrum, layer_heatmap, layer_profiles, radar
from internal_physics.figures import style
from matplotlib.image import AxesImage
from matplotlib.text import Text
from synthetic_tables import MODELS, SICK_STATUS, make_tables

# ---- radar --------------------------------------------------------------------------------------------------


def test_radar_axes_are_named_and_ordered(drawn):
    ax = drawn["radar"].axes[0]
    assert [label.get_text().split("\n")[0] for label in ax.get_xticklabels()] == [
        "Efficiency (ISC)",
        "Conservation (EC)",
        "Magnitude sync (ISG)",
        "Angular sync (ISA)",
        "Field structure (ISF)",
    ]
    assert [text.get_text() for text in by_gid(ax, "ring")] == ["0", "0.25", "0.5", "0.75", "1"]


def test_radar_draws_the_scores_closed_and_breaks_at_a_missing_one(tables):
    scores = tables["scores_normalized"]
    figure = radar.draw(scores, "factual")
    lines = {line.get_gid(): line.get_ydata() for line in figure.axes[0].get_lines()}
    assert set(lines) == set(MODELS[:4])
    whole = scores[scores["model"] == "smollm2-fp32"].set_index("metric")["score"]
    np.testing.assert_allclose(lines["smollm2-fp32"], whole[["isc", "ec", "isg", "isa", "isf", "isc"]])
    assert np.isnan(lines["smollm2-nf4"]).tolist() == [False] * 4 + [True, False]
    assert "smollm2-nf4 Field structure (ISF) (fit did not converge)" in style.notes_of(figure)
    assert "the largest and the smallest of the 4 models shown" in style.notes_of(figure)
    assert figure.get_suptitle() == "Gradient-flow scores on factual (5 prompts)"
    legend = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert legend == sorted(MODELS[:4])


def drawn_with_pairs(tables, **changed):
    given = {name: tables[name] for name in ("scores", "model_pairs")}
    return radar.draw(tables["scores_normalized"], "factual", show_flagged=True, **(given | changed))


def test_radar_says_on_each_spoke_how_many_pairs_are_told_apart():
    tables = make_tables(3, n_prompts=5, n_layers=6, flawed=False)
    pairs = tables["model_pairs"]
    pairs["p_adjusted"] = np.where(pairs["metric"] == "ec", 0.01, 0.5)
    pairs.loc[pairs["metric"] == "isf", "p_adjusted"] = np.nan
    figure = drawn_with_pairs(tables)
    spokes = [text.get_text().split("\n") for text in figure.axes[0].get_xticklabels()]
    colors = [text.get_color() for text in figure.axes[0].get_xticklabels()]
    labels = {lines[-1]: (lines[0], color) for lines, color in zip(spokes, colors, strict=True)}
    assert labels["3 of 3 pairs told apart"] == ("Conservation (EC)", "black")
    assert labels["0 of 3 pairs told apart"][1] == radar.UNDECIDED
    assert labels["not tested"] == ("Field structure (ISF)", radar.UNDECIDED)
    ec = tables["scores"].query("metric == 'ec'")["value"]
    assert f"0 = {ec.max():.4g}, 1 = {ec.min():.4g}" in [line for lines in spokes for line in lines]
    assert "chance may explain these shapes" not in style.notes_of(figure)
    at_one_percent = drawn_with_pairs(tables, confidence_level=0.99)
    assert "No two models are told apart on this set: chance may explain these shapes." in style.notes_of(
        at_one_percent
    )


def test_radar_draws_a_bar_for_every_model_but_the_outermost_where_pairs_are_known():
    tables = make_tables(3, n_prompts=5, n_layers=6, flawed=False)
    bars = [line for line in drawn_with_pairs(tables).axes[0].get_lines() if line.get_gid().startswith("bar ")]
    assert len(bars) == 4 * 2  # ISF has no interval
    for line in bars:
        low, high = line.get_ydata()
        assert 0 <= low <= high <= 1
    assert not by_gid(radar.draw(tables["scores_normalized"], "factual").axes[0], "bar ec smollm2-fp32")


def test_a_radar_of_one_model_is_refused():
    with pytest.raises(ValueError, match="a radar compares models: only smollm2-fp32 has scores on factual"):
        radar.draw(make_tables(1, 5, 6)["scores_normalized"], "factual")


def test_radar_leaves_flagged_scores_out_and_names_them(drawn):
    figure = drawn["radar"]
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_gid() == "smollm2-int8"]
    assert np.isnan(line.get_ydata()).tolist() == [True] * 4 + [False, True]
    assert "smollm2-int8 Efficiency (ISC), Conservation (EC), Magnitude sync (ISG), Angular sync (ISA) (1 of 5" in (
        style.notes_of(figure)
    )


def test_radar_can_show_flagged_scores_hollow(tables):
    figure = radar.draw(tables["scores_normalized"], "factual", show_flagged=True)
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_gid() == "smollm2-int8"]
    assert np.isfinite(line.get_ydata()).all()
    marks = by_gid(figure.axes[0], "flagged")
    assert len(marks) == 4
    assert {mark.get_markerfacecolor() for mark in marks} == {"white"}
    assert "Hollow, read with care: smollm2-int8 Efficiency (ISC)" in style.notes_of(figure)


def test_radar_names_a_model_that_has_no_row_here():
    scores = make_tables(3, 3, 3, ("factual", "nonsense"))["scores_normalized"]
    gone = (scores["model"] == "smollm2-fp32") & (scores["prompt_set"] == "factual")
    figure = radar.draw(scores[~gone], "factual")
    assert "smollm2-fp32 on every axis (not in the table)" in style.notes_of(figure)


def test_radar_without_any_usable_score_says_so(tables):
    bad = tables["scores_normalized"].assign(score=np.nan, status="only one model")
    figure = radar.draw(bad, "factual")
    assert "no usable scores" in [text.get_text() for text in figure.findobj(Text)]
    assert "(only one model)" in style.notes_of(figure)


# ---- layer profiles -----------------------------------------------------------------------------------------


def test_profiles_have_faint_prompts_a_bold_mean_and_a_band(drawn, tables):
    figure = drawn["layer_profiles"]
    assert len(figure.axes) == 8
    by_title = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_title(loc="left")}
    assert {model: len(by_gid(ax, "prompt")) for model, ax in by_title.items()} == {
        "smollm2-bf16": 5,
        "smollm2-fp32": 5,
        "smollm2-int8": 4,
        "smollm2-nf4": 5,
    }
    rows = tables["layers"].query("model == 'smollm2-fp32' and quantity == 'relative_gradient_change'")
    (mean,) = by_gid(by_title["smollm2-fp32"], "mean")
    np.testing.assert_allclose(mean.get_ydata(), rows.groupby("layer")["value"].mean())
    (band,) = by_gid(by_title["smollm2-fp32"], "band")
    upper = rows.groupby("layer")["value"].agg(lambda v: v.mean() + v.std(ddof=1)).max()
    assert band.get_datalim(by_title["smollm2-fp32"].transData).y1 == pytest.approx(upper)
    assert f"Left out: smollm2-int8, 1 prompt ({SICK_STATUS})." in style.notes_of(figure)


def test_profiles_say_quantity_definition_unit_and_size(drawn):
    figure = drawn["layer_profiles"]
    change, cosine = figure.axes[0].get_ylabel(), figure.axes[1].get_ylabel()
    assert "relative gradient change" in change
    assert "(dimensionless)" in change
    assert "/ ‖ΔB‖" in change
    assert "gradient cosine" in cosine
    assert "cos(ΔA, ΔB)" in cosine
    assert "factual (5 prompts)" in figure.get_suptitle()


def test_profiles_share_y_and_choose_a_log_axis_by_range(drawn, tables):
    wide = drawn["layer_profiles"]
    assert {ax.get_yscale() for ax in wide.axes[::2]} == {"log"}
    assert {ax.get_yscale() for ax in wide.axes[1::2]} == {"linear"}
    assert len({ax.get_ylim() for ax in wide.axes[::2]}) == 1
    layers = tables["layers"]
    change = layers["quantity"] == "relative_gradient_change"
    narrow = layers.assign(value=layers["value"].where(~change, 1 + layers["layer"] / 10))
    assert {ax.get_yscale() for ax in layer_profiles.draw(narrow, "factual").axes[::2]} == {"linear"}


def test_profiles_say_what_a_log_axis_cannot_show(tables):
    layers = tables["layers"].copy()
    first = layers[(layers["quantity"] == "relative_gradient_change") & (layers["status"] == "ok")].index[3]
    layers.loc[first, "value"] = 0.0
    assert "1 value of $e_l$ equal to 0" in style.notes_of(layer_profiles.draw(layers, "factual"))


def test_profiles_of_eight_models_wrap_to_four_columns():
    figure = layer_profiles.draw(make_tables(8, 3, 6)["layers"], "factual")
    assert len(figure.axes) == 16
    assert max(ax.get_subplotspec().colspan.stop for ax in figure.axes) == 4


def test_profiles_show_a_gap_where_one_layer_is_missing(tables):
    layers = tables["layers"].copy()
    hole = (layers["model"] == "smollm2-fp32") & (layers["layer"] == 5)
    layers.loc[hole, ["value", "status"]] = [np.nan, "norm is 0"]
    figure = layer_profiles.draw(layers, "factual")
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left") == "smollm2-fp32")
    values = by_gid(ax, "mean")[0].get_ydata()
    assert np.flatnonzero(np.isnan(values)).tolist() == [5]
    assert "smollm2-fp32, 5 prompts (norm is 0)" in style.notes_of(figure)


def test_profiles_of_a_model_without_usable_rows_say_so(tables):
    layers = tables["layers"]
    layers = layers.assign(status=layers["status"].where(layers["model"] != "smollm2-fp32", "out of memory"))
    figure = layer_profiles.draw(layers, "factual")
    assert [t.get_text() for t in figure.axes[2].texts] == ["no usable rows"]
    assert "smollm2-fp32, 5 prompts (out of memory)" in style.notes_of(figure)


# ---- layer heatmap ------------------------------------------------------------------------------------------


def images(figure):
    return [ax.findobj(AxesImage)[0] for ax in figure.axes[:3]]


def test_heatmap_shows_means_and_log10_of_the_norm(drawn, tables):
    change, cosine, norm = images(drawn["layer_heatmap"])
    assert change.get_array().shape == cosine.get_array().shape == (4, 12)
    assert norm.get_array().shape == (4, 13)
    rows = tables["layers"].query("model == 'smollm2-int8' and quantity == 'gradient_norm' and status == 'ok'")
    np.testing.assert_allclose(norm.get_array()[2], np.log10(rows.groupby("layer")["value"].mean()))


def test_heatmap_explains_blank_cells_only_when_it_has_some():
    deep = make_tables(4, 3, 10, flawed=False)["layers"]
    assert "Hatched" not in style.notes_of(layer_heatmap.draw(deep, "factual"))
    mixed = make_tables(6, 3, 10, flawed=False)["layers"]
    figure = layer_heatmap.draw(mixed, "factual")
    assert "Hatched grey: no value there, because the model has fewer layers" in style.notes_of(figure)
    assert images(figure)[0].get_array().mask[0].tolist() == [False] * 4 + [True] * 6  # gpt2: 4 blocks of 10


@pytest.mark.parametrize(("lowest", "diverges"), [(0.2, False), (-0.2, True)])
def test_heatmap_of_cosines_diverges_only_when_the_sign_changes(tables, lowest, diverges):
    layers = tables["layers"]
    cosine = layers["quantity"] == "gradient_cosine"
    values = layers["value"].where(~cosine, np.where(layers["layer"] == 0, lowest, 0.9))
    image = images(layer_heatmap.draw(layers.assign(value=values), "factual"))[1]
    assert (image.get_cmap().name == layer_heatmap.DIVERGING_COLORMAP) is diverges
    assert (image.norm.vmin == -image.norm.vmax) is diverges


def test_heatmap_of_equal_or_zero_values_still_draws(tables):
    figure = layer_heatmap.draw(tables["layers"].assign(value=0.0), "factual")
    assert "mean norm is 0" in style.notes_of(figure)
    assert "no usable rows" in [text.get_text() for text in figure.axes[2].texts]


def test_heatmap_names_models_units_and_prompts(drawn):
    figure = drawn["layer_heatmap"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == sorted(MODELS[:4])
    assert "mean over 5 prompts" in figure.get_suptitle()
    assert "nats" in figure.axes[5].get_ylabel()


# ---- ISF spectrum -------------------------------------------------------------------------------------------


def test_spectrum_shows_normalized_eigenvalues_and_the_fit(drawn, tables):
    figure = drawn["isf_spectrum"]
    ax = figure.axes[1]
    rows = tables["isf_spectra"].query("model == 'smollm2-fp32'")
    (points,), (fit,) = by_gid(ax, "eigenvalues"), by_gid(ax, "fit")
    np.testing.assert_allclose(points.get_ydata(), (rows["eigenvalue"] / rows["eigenvalue"].iloc[0])[:-1])
    np.testing.assert_allclose(fit.get_ydata(), rows["fitted"] / rows["eigenvalue"].iloc[0])
    assert (ax.get_xscale(), ax.get_yscale(), fit.get_linestyle()) == ("log", "log", "--")
    isf = tables["scores"].query("model == 'smollm2-fp32' and metric == 'isf'")["value"].item()
    assert f"ISF = {isf:.3f}" in by_gid(ax, "fit-text")[0].get_text()
    assert "0 up to rounding (1 per model" in style.notes_of(figure)
    assert "(5 prompts)" in figure.get_suptitle()


def test_spectrum_without_a_fit_is_left_out_and_named(drawn):
    figure = drawn["isf_spectrum"]
    assert [text.get_text() for text in figure.axes[3].texts] == ["no usable spectrum"]
    assert "smollm2-nf4, 5 eigenvalues (fit did not converge)" in style.notes_of(figure)


def test_the_exponent_and_the_misfit_are_those_of_the_definition():
    rank = np.arange(1, 8)
    fitted = 3.0 * rank**-1.7
    assert isf_spectrum.exponent(rank, fitted) == pytest.approx(1.7)
    assert isf_spectrum.exponent(rank[1:], fitted[1:]) == pytest.approx(1.7)
    assert np.isnan(isf_spectrum.exponent(rank, fitted - 10))
    assert isf_spectrum.relative_misfit(np.array([3.0, 1.0]), np.array([2.0, 1.0])) == pytest.approx(np.sqrt(0.5) / 2)
    assert np.isnan(isf_spectrum.relative_misfit(np.ones(3), np.ones(3)))


def test_no_isf_is_claimed_for_a_spectrum_with_a_rank_missing(tables):
    spectra = tables["isf_spectra"].copy()
    gone = (spectra["model"] == "smollm2-fp32") & (spectra["rank"] == 3)
    spectra.loc[gone, "eigenvalue"] = np.nan
    figure = isf_spectrum.draw(spectra, "factual")
    assert "ISF = n/a" in by_gid(figure.axes[1], "fit-text")[0].get_text()
    assert "smollm2-fp32, 1 eigenvalue (value is not finite)" in style.notes_of(figure)
