"""Figures of the weights: what is drawn, marked and left out, and that nothing is cut off or overlaps."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import SMALLEST_POINTS, by_gid, visible_texts
from internal_physics.families.scores.figures import correlation_matrix
from internal_physics.families.thermodynamics.figures import (
    phase_map,
    singular_spectra,
    state_diagrams,
    thermodynamics_heatmap,
    thermodynamics_profile,
    weights,
)
from internal_physics.figures import style
from matplotlib.image import AxesImage
from synthetic_tables import make_tables
from synthetic_weights import make_weight_tables

ALL_MAPS = ("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


@pytest.fixture(scope="module")
def made():
    return make_weight_tables(n_models=2, n_prompts=3, n_layers=9)


def draw_all(made):
    return {
        "profile": thermodynamics_profile.draw(made["thermodynamics"], "s"),
        "heatmap": thermodynamics_heatmap.draw(made["thermodynamics"], "s"),
        "state": state_diagrams.draw(made["thermodynamics"], "s"),
        "phases": phase_map.draw(made["phases"], "s"),
        "spectra": singular_spectra.draw(made["weights"]["m0"], "m0"),
    }


@pytest.mark.parametrize("n_models", [1, 3, 6])
def test_nothing_is_cut_off_or_too_small_and_the_legend_does_not_touch_the_title(n_models):
    figures = draw_all(make_weight_tables(n_models, n_prompts=2, n_layers=6, maps=ALL_MAPS))
    for name, figure in figures.items():
        width, height = figure.get_size_inches() * figure.dpi
        for text, box in visible_texts(figure):
            assert text.get_fontsize() >= SMALLEST_POINTS, (name, text.get_text())
            assert box.x0 > -2, (name, text.get_text())
            assert box.y0 > -2, (name, text.get_text())
            assert box.x1 < width + 2, (name, text.get_text())
            assert box.y1 < height + 2, (name, text.get_text())
        title = figure._suptitle.get_window_extent()
        for ax in figure.axes:
            if ax.get_legend():
                assert not ax.get_legend().get_window_extent().overlaps(title), name


def test_profiles_are_means_over_prompts_by_kind(made):
    figure = thermodynamics_profile.draw(made["thermodynamics"], "s")
    table = made["thermodynamics"].query("model == 'm1' and kind == 'up'")
    axes = [ax for ax in figure.axes if ax.get_label() == "temperature"]
    (line,) = by_gid(axes[1], "up")
    np.testing.assert_allclose(line.get_ydata(), table.groupby("layer").temperature.mean())
    (minus_f,) = by_gid([ax for ax in figure.axes if ax.get_label() == "free_energy"][1], "up")
    np.testing.assert_allclose(minus_f.get_ydata(), -table.groupby("layer").free_energy.mean())
    assert "s (3 prompts)" in figure.get_suptitle()


def test_a_row_without_a_value_is_left_out_and_named(made):
    table = made["thermodynamics"].copy()
    gone = (table.model == "m0") & (table.layer == 2) & (table.kind == "up")
    table.loc[gone, ["temperature", "free_energy"]] = np.nan
    table.loc[gone, "status"] = "no gradient recorded"
    for draw in (thermodynamics_profile.draw, thermodynamics_heatmap.draw, state_diagrams.draw):
        assert "m0, 3 prompts (no gradient recorded)" in style.notes_of(draw(table, "s"))
    assert "Hatched grey" in style.notes_of(thermodynamics_heatmap.draw(table, "s"))


def test_heatmaps_have_kinds_by_layers_on_one_scale_a_column(made):
    figure = thermodynamics_heatmap.draw(made["thermodynamics"], "s")
    images = [image for ax in figure.axes for image in ax.findobj(AxesImage) if image.get_array().shape == (2, 9)]
    assert len(images) == 8
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["query", "up"]
    entropy = [image for image in images if image.get_cmap().name == "viridis"]
    assert len({(image.norm.vmin, image.norm.vmax) for image in entropy}) == 1


def test_a_layer_is_marked_where_half_of_the_prompts_flag_it(made):
    table = made["thermodynamics"].copy()
    table[list(state_diagrams.MARKS)] = False
    here = (table.model == "m0") & (table.layer == 4) & (table.kind == "up")
    table.loc[here & table.prompt.isin(["p0", "p1"]), "latent_heat_jump"] = True
    table.loc[here & (table.prompt == "p0"), "high_compressibility"] = True
    figure = state_diagrams.draw(table, "s")
    marks = [mark for mark in by_gid(figure, "latent_heat_jump") if len(mark.get_xdata())]
    assert len(marks) == 2  # in S-T and in T-F
    np.testing.assert_allclose(marks[0].get_xdata(), table[here].temperature.mean())
    assert not any(len(mark.get_xdata()) for mark in by_gid(figure, "high_compressibility"))


def test_the_phase_map_shows_shares_beside_what_shuffled_layers_give(made):
    figure = phase_map.draw(made["phases"], "s")
    rows = made["phases"].query("phase == 'negative_specific_heat'")
    image = figure.axes[1].findobj(AxesImage)[0].get_array()
    expected = rows.pivot_table(index="model", columns="layer", values="share").to_numpy()
    np.testing.assert_allclose(image[:, 1:-1], expected)
    assert image.mask[:, [0, -1]].all()
    of_m0 = rows[rows.model == "m0"]
    text = f"{of_m0.share.mean():.2f} ({of_m0.expected_share.mean():.2f})"
    assert text in [t.get_text() for t in by_gid(figure.axes[1], "expected")]


def test_models_of_two_blocks_have_a_phase_map_that_says_why_it_is_empty(made, tmp_path):
    """With two blocks no weight has a derivative along depth, so the table has no rows for their prompt sets."""
    path = tmp_path / "phases.parquet"
    made["phases"].to_parquet(path)
    (name, figure), *others = phase_map.figures({"phases": path}, models=["m0", "m1"], prompt_sets=["short"])
    assert (name, others) == ("short", [])
    assert "needs three blocks" in " ".join(text.get_text() for text, _ in visible_texts(figure))


def test_spectra_are_drawn_down_to_their_error_with_the_tails_law(made):
    spectra = made["weights"]["m0"].copy()
    values = spectra.singular_values.iloc[0].copy()
    values[-5:] = 1e-18
    spectra.at[0, "singular_values"] = values
    figure = singular_spectra.draw(spectra, "m0")
    lines = by_gid(figure.axes[0], "spectrum")
    assert len(lines) == 9
    assert len(lines[0].get_ydata()) == 25
    assert len(by_gid(figure.axes[0], "fit")) == 3
    rank, law = singular_spectra.tail_law(3.0, 4.0, 100)
    assert law[-1] == pytest.approx(2.0)
    share_above = rank / 100
    np.testing.assert_allclose(share_above, (law**2 / 4.0) ** (1 - 3.0))


def test_a_weight_without_a_spectrum_is_named(made):
    spectra = made["weights"]["m0"].copy()
    spectra.loc[3, ["method", "status"]] = ["none", "no decomposition converged"]
    notes = style.notes_of(singular_spectra.draw(spectra, "m0"))
    assert "Left out: 1 weight: layers.1.mlp.up_proj.weight (no decomposition converged)" in notes


def test_missing_columns_and_unknown_sets_are_refused(made):
    with pytest.raises(ValueError, match="no rows for prompt set 'x'"):
        thermodynamics_profile.draw(made["thermodynamics"], "x")
    with pytest.raises(ValueError, match="no rows for prompt set 'x'"):
        phase_map.draw(made["phases"], "x")
    with pytest.raises(ValueError, match="lacks the columns"):
        state_diagrams.draw(made["thermodynamics"].drop(columns="kind"), "s")
    with pytest.raises(ValueError, match="no spectra"):
        singular_spectra.draw(made["weights"]["m0"].iloc[:0], "m0")


def test_the_same_tables_give_the_same_bytes(made, tmp_path):
    for name in ("a", "b"):
        style.save(state_diagrams.draw(made["thermodynamics"], "s"), [tmp_path / f"{name}.svg"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_kinds_keep_their_looks_and_order(made):
    assert weights.kinds_of(made["thermodynamics"]) == ["query", "up"]
    assert weights.kind_label("fused_gate_up") == "fused gate up"


def test_a_correlation_matrix_of_many_metrics_stacks_its_panels():
    table = make_tables(4, 5, 6)["correlations"]
    few = correlation_matrix.draw(table)
    more = table[table.level == "model"].assign(y=lambda t: t.y + "_of_heat")
    many = correlation_matrix.draw(pd.concat([table, more], ignore_index=True))
    heights = [figure.get_size_inches()[1] for figure in (few, many)]
    assert heights[1] > heights[0] + 2


def test_the_axes_of_the_state_diagrams_are_named(made):
    axes = [ax for ax in state_diagrams.draw(made["thermodynamics"], "s").axes if ax.get_xlabel()]
    first = [ax for ax in axes if ax.get_subplotspec().colspan.start == 0]
    assert [ax.get_ylabel().split("\n")[0] for ax in first] == ["entropy S (nats)", "temperature T"]
