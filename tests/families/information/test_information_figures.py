"""Information figures: what is drawn, what is left out, tokens as text, and nothing clipped or too small."""

import itertools

import numpy as np
import pandas as pd
import pytest
from figure_texts import SMALLEST_POINTS, by_gid, visible_texts
from internal_physics.families.information.attention_statuses import NO_ATTENTION
from internal_physics.families.information.figures import (
    information_metric,
    information_profiles,
    lens_heatmap,
    token_trajectories,
    tokens,
)
from internal_physics.families.information.figures.layer_curves import is_log
from internal_physics.families.information.quantities import ALONG_DEPTH
from internal_physics.figures import style
from synthetic_tables import MODELS, SICK_STATUS

WORDS = (" the", " of", "\n", " ", "Paris", " antidisestablishmentarianism", "$x$", "é", "\u4e2d", "", "\ufffd", ",")
SET, PROMPT = "factual", "factual_01"


def information(n_models=2, n_prompts=4, n_layers=12, prompt_sets=(SET,), *, sick=False):
    """Table `information`."""
    draw = np.random.default_rng(0)
    parts = []
    for (i, model), prompt_set, p, curve in itertools.product(
        enumerate(MODELS[:n_models]), prompt_sets, range(1, n_prompts + 1), ALONG_DEPTH
    ):
        layers = np.arange(n_layers + (curve.name != "attention_entropy_nats"))
        values = np.exp(draw.normal(2 - layers / 4, 0.3)) + (curve.name == "perplexity") + i
        is_sick = sick and p == 2
        keys = {"model": model, "condition": "baseline", "prompt_set": prompt_set, "prompt": f"{prompt_set}_{p:02d}"}
        values = np.full(len(layers), np.nan) if is_sick else values
        status = SICK_STATUS if is_sick else "ok"
        parts.append(pd.DataFrame({**keys, "layer": layers, "quantity": curve.name, "value": values, "status": status}))
    return pd.concat(parts, ignore_index=True)


def positions(n_tokens=18, n_layers=30, read=None, *, sick=False):
    """Rows of metrics.information.position_rows."""
    draw = np.random.default_rng(1)
    read = n_tokens - 1 if read is None else read
    rows = [
        {
            "prompt_set": SET,
            "prompt": PROMPT,
            "layer": layer,
            "position": t,
            "is_read": t == read,
            "token": WORDS[t % len(WORDS)],
            "target": WORDS[(t + 1) % len(WORDS)] if t < n_tokens - 1 else "",
            "entropy_nats": np.nan if sick and layer == 3 else draw.gamma(2),
            "top_token": WORDS[draw.integers(len(WORDS))],
            "is_target": bool(draw.integers(2)),
            "status": "ok",
        }
        for layer in range(n_layers + 1)
        for t in range(n_tokens)
    ]
    return pd.DataFrame(rows)


def followed(n_layers=12, *, shift=0):
    """Rows of metrics.information.token_rows."""
    layers, ranks = range(n_layers + 1), range(1, 6)
    rows = [
        {"layer": layer, "rank": rank, "token": WORDS[(rank + shift) % len(WORDS)], "probability": layer / (30 * rank)}
        for layer, rank in itertools.product(layers, ranks)
    ]
    return pd.DataFrame(rows).assign(prompt_set=SET, prompt=PROMPT, kind="final", status="ok")


def every_figure(n_models):
    models, table = MODELS[:n_models], information(n_models, 3, 8, prompt_sets=(SET, "nonsense"))
    return {
        "profiles": information_profiles.draw(table, SET, models=models),
        "metric": information_metric.draw(table, "perplexity", models=models),
        "attention": information_metric.draw(table, "attention_entropy_nats", models=models),
        "heatmap": lens_heatmap.draw(positions(4 + 5 * n_models), models[-1], SET, PROMPT),
        "trajectories": token_trajectories.draw(
            {m: followed(shift=i) for i, m in enumerate(models)}, dict.fromkeys(models, (SET, PROMPT))
        ),
    }


@pytest.mark.parametrize("n_models", [1, 4, 5])
def test_nothing_is_clipped_or_overlaps_or_is_too_small(n_models):
    for kind, figure in every_figure(n_models).items():
        texts, boxes = zip(*visible_texts(figure), strict=True)
        low, high = (np.array([getattr(box, corner) for box in boxes]) for corner in ("min", "max"))
        assert figure.get_size_inches()[0] <= style.PAGE_WIDTH_INCHES + 1e-9
        assert min(text.get_fontsize() for text in texts) >= SMALLEST_POINTS
        outside = ((low < -1) | (high > [figure.bbox.width + 1, figure.bbox.height + 1])).any(axis=1)
        assert not [texts[i].get_text() for i in np.flatnonzero(outside)], kind
        shared = (np.minimum(high[:, None], high) - np.maximum(low[:, None], low)).min(axis=-1)
        pairs = np.argwhere(np.triu(shared >= 3, k=1))
        assert not [(texts[i].get_text(), texts[j].get_text()) for i, j in pairs], kind


def test_prompts_are_faint_the_mean_is_black_and_the_band_one_std():
    table = information(1)
    ax = information_profiles.draw(table, SET).axes[0]
    (mean,), prompts, (band,) = by_gid(ax, "mean"), by_gid(ax, "prompt"), by_gid(ax, "band")
    wide = table[table["quantity"] == "entropy_nats"].pivot(index="layer", columns="prompt", values="value")
    assert mean.get_color() == "black"
    assert len(prompts) == 4
    assert all(line.get_alpha() < 0.5 for line in prompts)
    np.testing.assert_allclose(mean.get_ydata(), wide.mean(axis=1))
    upper = wide.mean(axis=1) + wide.std(axis=1, ddof=1)
    assert band.get_datalim(ax.transData).y1 == pytest.approx(upper.max())


def test_six_panels_a_model_and_one_axis_a_quantity():
    axes = information_profiles.draw(information(2), SET).axes
    assert len(axes) == 12
    assert [ax.get_ylim() for ax in axes[:6]] == [ax.get_ylim() for ax in axes[6:]]
    assert {ax.get_xlim() for ax in axes} == {axes[0].get_xlim()}


def test_an_axis_is_logarithmic_where_values_span_decades_above_zero():
    surprisal = next(curve for curve in ALONG_DEPTH if curve.name == "surprisal_nats")
    entropy = ALONG_DEPTH[0]
    wide = np.array([0.1, 100.0])
    assert is_log(surprisal, wide)
    assert not is_log(surprisal, np.array([5.0, 10.0]))
    assert not is_log(surprisal, np.array([0.0, 0.1, 100.0]))
    assert not is_log(entropy, wide)


def test_what_is_left_out_is_named():
    figure = information_profiles.draw(information(1, sick=True), SET)
    assert f"1 prompt ({SICK_STATUS})" in style.notes_of(figure)
    assert len(by_gid(figure.axes[0], "prompt")) == 3


def test_the_blocks_of_a_hybrid_that_have_attention_are_dots_and_the_others_are_counted():
    """Every fourth block has attention: a line alone would hide that, and of a single block there would be none."""
    for attending in ([3, 7, 11], [3]):
        table = information(1)
        bare = (table["quantity"] == "attention_entropy_nats") & ~table["layer"].isin(attending)
        table.loc[bare, ["value", "status"]] = [np.nan, NO_ATTENTION]
        figure = information_metric.draw(table, "attention_entropy_nats")
        (mean,) = by_gid(figure.axes[0], "mean")
        assert mean.get_xdata().tolist() == attending
        assert mean.get_marker() == "o"
        assert f"{12 - len(attending)} blocks ({NO_ATTENTION})" in style.notes_of(figure)
        (whole,) = by_gid(information_metric.draw(table, "entropy_nats").axes[0], "mean")
        assert whole.get_marker() == ""


def test_an_unknown_quantity_is_refused():
    with pytest.raises(ValueError, match="unknown quantity 'ec'"):
        information_metric.draw(information(1), "ec")


def test_the_lens_shows_every_cell_and_frames_what_follows():
    rows = positions(6, 4)
    (ax, *_) = lens_heatmap.draw(rows, "m", SET, PROMPT).axes
    assert len(by_gid(ax, "cell")) == 30
    assert len(by_gid(ax, "target")) == rows["is_target"].sum()
    assert ax.images[0].get_array().shape == (5, 6)
    assert ax.get_ylim()[0] < ax.get_ylim()[1]


@pytest.mark.parametrize(("read", "first", "last"), [(17, 7, 17), (0, 0, 10), (9, 4, 14)])
def test_a_long_prompt_is_shown_around_the_read_position(read, first, last):
    figure = lens_heatmap.draw(positions(18, 100, read), "m", SET, PROMPT)
    shown = lens_heatmap._shown(positions(18, 100, read))
    assert (shown["position"].min(), shown["position"].max()) == (first, last)
    assert {0, 100} <= set(shown["layer"])
    assert shown["layer"].nunique() <= lens_heatmap.MAX_LAYERS + 1
    assert "Shown: 11 of 18 positions" in style.notes_of(figure)


def test_cells_without_a_value_are_hatched_and_counted():
    figure = lens_heatmap.draw(positions(5, 4, sick=True), "m", SET, PROMPT)
    assert "5 cells whose logits are not finite" in style.notes_of(figure)
    assert len(by_gid(figure.axes[0], "cell")) == 20


def test_an_unknown_prompt_is_refused():
    with pytest.raises(ValueError, match="no prompt factual/none"):
        lens_heatmap.draw(positions(5, 4), "m", SET, "none")
    with pytest.raises(ValueError, match="no prompt factual/none"):
        token_trajectories.draw({"m": followed()}, {"m": (SET, "none")})


def test_a_token_looks_alike_in_all_panels():
    axes = token_trajectories.draw({"a": followed(), "b": followed(shift=1)}, dict.fromkeys("ab", (SET, PROMPT))).axes
    looks = [{line.get_label().split()[0]: line.get_color() for line in ax.get_lines()} for ax in axes]
    shared = set(looks[0]) & set(looks[1])
    assert len(shared) == 4
    assert all(looks[0][token] == looks[1][token] for token in shared)


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" the", "the"),
        (" ", "·"),
        ("  ", "··"),
        ("\n", "↵"),
        (" \n", "·↵"),
        ("a b", "a·b"),
        ("\u4e2d", "⟨4E2D⟩"),
        (" 日本", "⟨65E5 672C⟩"),
        ("\x00", "⟨00⟩"),
        ("é", "é"),
        ("", "(empty)"),
    ],
)
def test_tokens_as_text(token, shown):
    assert tokens.readable(token) == shown


def test_a_long_token_is_cut_and_a_dollar_is_no_formula():
    cut = tokens.fitted(" antidisestablishmentarianism", 40)
    assert cut.endswith("…")
    assert 3 < len(cut) < 12
    assert tokens.fitted("$x$", 40) == r"\$x\$"


def test_equal_rows_give_equal_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        style.save(
            lens_heatmap.draw(positions(5, 4), "m", SET, PROMPT),
            [tmp_path / folder / "x.svg", tmp_path / folder / "x.png"],
        )
    for name in ("x.svg", "x.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
