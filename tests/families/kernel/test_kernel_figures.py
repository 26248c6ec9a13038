"""What the figures of the kernels draw, from made-up kernels."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import visible_texts
from internal_physics.families.kernel.figures import (
    kernel_cka,
    kernel_heatmap,
    kernel_layers,
    kernel_map,
    kernel_shares,
    kernel_spectrum,
)
from internal_physics.families.kernel.tables import TABLES
from made_up_kernels import collected, made_up_kernel, notes_of

MODELS = ["a", "b"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    kernels = [made_up_kernel("a"), made_up_kernel("b", seed=1)]
    return collected(tmp_path_factory.mktemp("kernels"), [[kernel] for kernel in kernels], notes_of(*kernels))


@pytest.fixture
def no_rows():
    return {table.name: pd.DataFrame(columns=list(table.columns)).astype(table.types) for table in TABLES}


def drawn(tables):
    return {
        "heatmap": kernel_heatmap.draw(tables["kernel"], tables["kernel_map"], "a"),
        "map": kernel_map.draw(tables["kernel_map"], tables["kernel_summary"], "a"),
        "layers": kernel_layers.draw(tables["kernel_cka"], tables["kernel_kinds"], tables["kernel_shares"], "a"),
        "spectrum": kernel_spectrum.draw(tables["kernel_spectra"], tables["kernel_summary"], models=MODELS),
        "shares": kernel_shares.draw(tables["kernel_shares"], models=MODELS),
        "cka": kernel_cka.draw(tables["kernel_cka"], models=MODELS),
    }


def texts_of(figure):
    return [text.get_text() for text, _ in visible_texts(figure)]


def image_of(figure):
    return np.ma.filled(figure.axes[0].get_images()[0].get_array().astype(float), np.nan)


def test_the_heatmap_shows_every_pair_sorted_by_kind(tables):
    shuffled = tables["kernel_map"].sample(frac=1, random_state=0)
    image = image_of(kernel_heatmap.draw(tables["kernel"], shuffled, "a"))
    assert np.isnan(np.diagonal(image)).all()
    assert "p7" in texts_of(drawn(tables)["heatmap"])
    first, second = image[:4, :4], image[4:, 4:]
    assert np.nanmean([first, second]) > np.nanmean(image[:4, 4:]) + 0.2


def test_the_map_has_a_point_for_every_prompt_in_the_color_of_its_kind(tables):
    ax = drawn(tables)["map"].axes[0]
    points = {line.get_label(): len(line.get_xdata()) for line in ax.lines if line.get_marker() != "None"}
    assert points == {"easy (4)": 4, "hard (4)": 4}


def test_the_layers_image_is_symmetric_and_the_line_has_every_layer(tables):
    figure = drawn(tables)["layers"]
    image = image_of(figure)
    off = ~np.eye(4, dtype=bool)
    assert np.array_equal(image[off], image.T[off])
    assert figure.axes[1].lines[0].get_xdata().tolist() == [-1, 0, 1, 2]


def test_the_spectrum_ends_at_one_and_names_the_effective_rank(tables):
    figure = drawn(tables)["spectrum"]
    assert all(line.get_ydata()[-1] == pytest.approx(1) for ax in figure.axes for line in ax.lines)
    rank = tables["kernel_summary"]["effective_rank"].iat[0]
    assert f"a: effective rank {rank:.1f}" in texts_of(figure)


def test_the_shares_have_a_row_for_every_kind_inside_the_blocks(tables):
    figure = drawn(tables)["shares"]
    assert image_of(figure).shape == (2, 3)
    assert any("embedding" in text for text in texts_of(figure))


def test_the_alignment_of_models_is_written_into_its_cells(tables):
    whole = tables["kernel_cka"][tables["kernel_cka"]["layer"].isna()]
    texts = texts_of(drawn(tables)["cka"])
    assert texts.count(f"{whole['debiased_cka'].iat[0]:.2f}") == 2


def test_without_kernels_every_figure_says_so(no_rows):
    for figure in drawn(no_rows).values():
        assert "no prompts with recorded weight gradients" in texts_of(figure)
