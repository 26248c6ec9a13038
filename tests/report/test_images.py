"""Figures as the report embeds them: smaller and hardly different to the eye, or else unchanged."""

import base64
import io

import matplotlib as mpl
import numpy as np
import pytest
from internal_physics.report.images import N_COLORS, data_uri
from PIL import Image

SIZE = 96
A_STEP_OF_A_COLORMAP = 8  # of 255: about 1/40 of viridis


@pytest.fixture
def heatmap():
    """All of a colormap, in an order that does not compress: [SIZE, SIZE, 3], 0 to 255."""
    ramp = np.random.default_rng(0).permutation(np.linspace(0, 1, SIZE * SIZE)).reshape(SIZE, SIZE)
    return (255 * mpl.colormaps["viridis"](ramp)[..., :3]).astype(np.uint8)


def saved(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def embedded(path):
    uri = data_uri(path)
    assert uri.startswith("data:image/png;base64,")
    return base64.b64decode(uri.partition(",")[2])


def test_a_figure_of_many_colors_gets_smaller_and_keeps_its_size(tmp_path):
    noisy = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    path = saved(tmp_path / "noisy.png", noisy)
    found = embedded(path)
    assert len(found) < path.stat().st_size / 2
    image = Image.open(io.BytesIO(found))
    assert image.size == (SIZE, SIZE)
    assert len(image.getcolors(N_COLORS)) > 1


def test_colors_of_a_heatmap_move_by_less_than_the_eye_reads_from_a_colorbar(tmp_path, heatmap):
    found = Image.open(io.BytesIO(embedded(saved(tmp_path / "heatmap.png", heatmap))))
    assert found.mode == "P"
    image = found.convert("RGB")
    difference = np.abs(np.asarray(image).astype(int) - heatmap)
    assert difference.max() <= A_STEP_OF_A_COLORMAP


def test_few_colors_stay_exactly_what_they_are(tmp_path):
    pixels = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    pixels[::2], pixels[:, ::3] = (213, 94, 0), (0, 114, 178)
    image = Image.open(io.BytesIO(embedded(saved(tmp_path / "lines.png", pixels)))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_transparent_image_stays_unchanged(tmp_path, heatmap):
    path = saved(tmp_path / "clear.png", np.dstack([heatmap, np.full((SIZE, SIZE), 200, dtype=np.uint8)]))
    assert embedded(path) == path.read_bytes()


def test_an_opaque_alpha_channel_does_not_count_as_transparent(tmp_path, heatmap):
    path = saved(tmp_path / "opaque.png", np.dstack([heatmap, np.full((SIZE, SIZE), 255, dtype=np.uint8)]))
    assert len(embedded(path)) < path.stat().st_size


def test_a_missing_figure_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        data_uri(tmp_path / "gone.png")


def test_a_rare_color_beside_many_of_a_common_kind_stays_what_it_is(tmp_path, heatmap):
    """The median cut put a few letters of a color of their own among the shades of a heatmap: up to 68 of 255 off."""
    rare = (0, 0, 0), (255, 255, 255), (213, 94, 0), (255, 0, 255)
    heatmap[0, :4] = rare
    image = Image.open(io.BytesIO(embedded(saved(tmp_path / "rare.png", heatmap)))).convert("RGB")
    np.testing.assert_allclose(np.asarray(image)[0, :4].astype(int), rare, atol=A_STEP_OF_A_COLORMAP)
