"""The figures of residual gain: what is drawn, what is left out and named, and the verdict beneath."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from figure_texts import SMALLEST_POINTS, by_gid, visible_texts
from internal_physics.families.residual_gain.figures import gain_heatmap, gain_panels
from internal_physics.families.residual_gain.hypotheses import judge_hypotheses
from internal_physics.families.residual_gain.sentences import VARIANT_NAMES
from internal_physics.families.residual_gain.variants import VARIANTS
from internal_physics.figures import style
from internal_physics.figures.draw import outputs_named
from made_up_gains import KINDS, driven_points, gains_of, layers_of, with_texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

SETTINGS = {"seed": 0, "n_resamples": 99, "confidence_level": 0.95}
MODELS = ("smollm2-fp32", "smollm2-nf4")


def make(points, models=MODELS, **options):
    gains = gains_of(points, models, **options)
    return {
        "gains": gains,
        "layers": layers_of(gains),
        "hypotheses": judge_hypotheses(with_texts(gains), **SETTINGS),
    }


@pytest.fixture(scope="module")
def tables():
    return make([*driven_points(0.1), ("reference", 2.0, 1.0)])


def panels(tables, **options):
    return gain_panels.draw(**tables, model=MODELS[0], n_resamples=99, **options)


def test_every_prompt_is_a_point_in_every_panel_but_the_first(tables):
    figure = panels(tables)
    depth, scatter, *others = figure.axes[:6]
    for ax in (scatter, *others):
        assert sum(len(line.get_xdata()) for line in by_gid(ax, "prompts")) == 81
    assert len(by_gid(depth, "mean")) == len(KINDS) + 1
    first = by_gid(scatter, "prompts")[0]
    rows = tables["gains"].query("model == 'smollm2-fp32' and variant == 'whole' and kind == 'factual'")
    np.testing.assert_array_equal(first.get_xdata(), rows["entropy_nats"])
    np.testing.assert_array_equal(first.get_ydata(), rows["last_gain"])


def test_every_variant_has_a_panel_with_its_own_points_and_verdict(tables):
    gain, is_last = tables["gains"]["last_gain"], tables["gains"]["variant"] == "last_position"
    gains = tables["gains"].assign(last_gain=gain.where(~is_last, 3 - gain))
    hypotheses = judge_hypotheses(with_texts(gains), **SETTINGS)
    figure = panels({**tables, "gains": gains, "hypotheses": hypotheses})
    verdicts = {"whole": "supported", "last_position": "inverse", "excluding_first": "supported"}
    for ax, (variant, verdict) in zip(figure.axes[1:4], verdicts.items(), strict=True):
        about, judged, numbers = ax.get_title(loc="left").splitlines()
        assert (about, judged) == ("Last gain against uncertainty,", f"{VARIANT_NAMES[variant]}: {verdict}")
        rows = gains.query(f"model == 'smollm2-fp32' and variant == '{variant}'")
        r = np.corrcoef(rows["entropy_nats"], rows["last_gain"])[0, 1]
        assert numbers.startswith(f"r = {r:.2f}, adjusted p = 0.0".replace("-", "\N{MINUS SIGN}"))
        rows = rows[rows["kind"] == "factual"]
        np.testing.assert_array_equal(by_gid(ax, "prompts")[0].get_ydata(), rows["last_gain"])


def test_the_depth_panel_shows_mean_gains(tables):
    line = by_gid(panels(tables).axes[0], "mean")[1]
    rows = tables["layers"].query("model == 'smollm2-fp32' and quantity == 'residual_gain_whole'")
    kinds = tables["gains"].drop_duplicates("prompt").set_index("prompt")["kind"]
    rows = rows[rows["prompt"].map(kinds) == "syntactic"]
    np.testing.assert_allclose(line.get_ydata(), rows.groupby("layer")["value"].mean())


def test_the_trend_is_least_squares(tables):
    (line,) = by_gid(panels(tables).axes[1], "trend")
    rows = tables["gains"].query("model == 'smollm2-fp32' and variant == 'whole'")
    slope, intercept = np.polyfit(rows["entropy_nats"], rows["last_gain"], 1)
    np.testing.assert_allclose(line.get_ydata(), intercept + slope * np.asarray(line.get_xdata()))
    assert gain_panels.trend(np.ones(5), np.arange(5.0)) is None


def test_kinds_that_the_font_cannot_write_stay_apart():
    tables = make(driven_points(0.1, kinds=("日本", "中国", "plain")), MODELS)
    figure = gain_heatmap.draw(tables["hypotheses"])
    texts = {text.get_text() for text, _ in visible_texts(figure)}
    assert texts >= {"⟨65E5 672C⟩\n(n = 20)", "⟨4E2D 56FD⟩\n(n = 20)", "plain\n(n = 20)"}
    labels = [label.get_text() for label in panels(tables).axes[4].get_yticklabels()]
    assert labels == ["⟨65E5 672C⟩ (n = 20)", "⟨4E2D 56FD⟩ (n = 20)", "plain (n = 20)"]


def test_kinds_carry_their_n_and_the_verdict_its_own(tables):
    figure = panels(tables)
    labels = [label.get_text() for label in figure.axes[4].get_yticklabels()]
    assert labels == [*(f"{kind} (n = 20)" for kind in KINDS), "reference (n = 1)"]
    notes = style.notes_of(figure)
    assert notes.count("supported (n = 81, r = ") == 3
    assert "Verdict: adjusted p < 0.05" in notes
    assert notes.count("published rule: supported") == 3
    assert "(81 prompts)" in figure.get_suptitle()


def test_a_prompt_without_a_gain_is_left_out_and_named():
    figure = panels(make([*driven_points(0.1), ("factual", 1.0, np.nan)]))
    assert "Left out: smollm2-fp32, 1 prompt (the norm is zero, first at residual 2)" in style.notes_of(figure)
    assert sum(len(line.get_xdata()) for line in by_gid(figure.axes[1], "prompts")) == 80


def test_nothing_usable_says_so():
    figure = panels(make([("factual", 1.0, np.nan), ("not given", 2.0, np.nan)]))
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert texts.count("no usable rows") == 4
    assert texts.count("Last gain against uncertainty,\nlast position: untested") == 1
    assert "last position: untested" in style.notes_of(figure)


def test_constant_entropies_and_prompts_without_kind_draw():
    figure = panels(make([("not given", 2.0, gain) for gain in (0.5, 0.7, 1.7)]))
    assert not by_gid(figure.axes[1], "trend")
    assert figure.axes[4].get_yticklabels()[0].get_text() == "not given (n = 3)"


def test_labels_of_numbers_that_hardly_differ_do_not_touch():
    """A model that has learned nothing is equally unsure of every prompt."""
    figure = panels(make([("factual", 6.204 + 0.0003 * i, 1.1 + 0.0003 * i) for i in range(6)]))
    renderer = FigureCanvasAgg(figure).get_renderer()
    for ax in (*figure.axes[1:4], *figure.axes[4:6]):
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [tick.label1.get_window_extent(renderer) for tick in ticks]
        assert len(boxes) >= 2
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_an_unknown_model_is_refused(tables):
    with pytest.raises(ValueError, match="no rows of x, whole"):
        gain_panels.draw(**tables, model="x")


def test_heatmap_shows_every_mean_of_every_variant(tables):
    figure = gain_heatmap.draw(tables["hypotheses"], models=MODELS)
    for ax, variant in zip(figure.axes[:3], VARIANTS, strict=True):
        rows = tables["hypotheses"].query(f"hypothesis == 'contraction' and variant == '{variant}'")
        expected = [f"{r.value:.2f}" + ("" if r.status == "ok" else "†") for r in rows.itertuples()]
        assert [text.get_text() for text in by_gid(ax, "cell")] == expected
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(MODELS)
    notes = style.notes_of(figure)
    assert "† Read with care: reference (one prompt: no interval)" in notes
    assert "Whole stream: supported in 2" in notes
    assert "n = 81 prompts each" in notes


def test_heatmap_names_a_kind_without_prompts():
    figure = gain_heatmap.draw(make(driven_points(0.1, kinds=("factual", "probe")))["hypotheses"])
    assert "Hatched grey: no prompts of kind syntactic" in style.notes_of(figure)
    with pytest.raises(ValueError, match="condition 'steered'"):
        gain_heatmap.draw(make(driven_points(0.1))["hypotheses"], "steered")


@pytest.mark.parametrize("n_models", [1, 8])
def test_nothing_is_clipped_or_too_small(n_models):
    names = [f"smollm2-fp4-double-quantized-{i}" for i in range(n_models)]
    tables = make([*driven_points(0.1, n_each=5), ("reference", 2.0, 1.0)], names)
    for figure in (
        gain_panels.draw(**tables, model=names[0], variant="excluding_first", n_resamples=99),
        gain_heatmap.draw(tables["hypotheses"]),
    ):
        width, height = figure.bbox.width, figure.bbox.height
        for text, box in visible_texts(figure):
            assert text.get_fontsize() >= SMALLEST_POINTS, text.get_text()
            assert -1 <= box.x0 <= box.x1 <= width + 1, text.get_text()
            assert -1 <= box.y0 <= box.y1 <= height + 1, text.get_text()


def test_equal_tables_give_equal_bytes(tables, tmp_path):
    for name in ("a", "b"):
        style.save(panels(tables), [tmp_path / f"{name}.png", tmp_path / f"{name}.svg"])
    for suffix in ("png", "svg"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_outputs_are_found_by_their_whole_name():
    paths = ["f/radar-a.png", "f/radar-b-a.png", "f/radar-b.a.svg", "f/radar-a.svg"]
    assert outputs_named(paths, "a") == ["f/radar-a.png", "f/radar-a.svg"]
    assert outputs_named(paths, "b-a") == ["f/radar-b-a.png"]
    assert outputs_named(paths, "b.a") == ["f/radar-b.a.svg"]
    with pytest.raises(ValueError, match="named after 'c'"):
        outputs_named(paths, "c")


def test_the_global_style_is_left_alone(tables):
    before = {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}
    panels(tables)
    assert {key: mpl.rcParams[key] for key in before} == before
