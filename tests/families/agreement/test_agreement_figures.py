"""Figures of agreement: what they draw, what they show if nothing is comparable, and equal bytes on every run."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import by_gid, visible_texts
from internal_physics.families.agreement.figures import agreement_profile, agreement_weights
from internal_physics.figures import style
from internal_physics.figures.style import notes_of, save
from matplotlib.image import AxesImage
from synthetic_agreement import WEIGHTS, agreement_tables
from synthetic_tables import make_tables

MODELS = ("smollm2-fp32", "b", "c")
N_LAYERS = 6


def means_of(n_models=3, **options):
    prompts = make_tables(n_models, n_prompts=5, n_layers=N_LAYERS)["prompts"]
    names = dict(zip(prompts["model"].unique(), MODELS, strict=False))
    prompts = prompts.assign(model=prompts["model"].map(names))
    return agreement_tables(prompts, N_LAYERS, **options)["agreement_means"]


@pytest.fixture(scope="module")
def means():
    return means_of()


@pytest.fixture(scope="module")
def profile(means):
    return agreement_profile.draw(means, "factual", models=MODELS)


def as_conditions(means):
    """The same numbers, as if the models were conditions of the reference."""
    return means.assign(condition=means["model"], model=MODELS[0])


def test_every_quantity_has_a_panel_with_a_line_and_a_band_for_each_model(profile, means):
    panels = profile.axes[:4]
    for ax, quantity in zip(panels, np.ravel(agreement_profile.PANELS), strict=True):
        lines = by_gid(ax, "mean")
        assert len(lines) == len(by_gid(ax, "band")) == 2
        for line, model in zip(lines, MODELS[1:], strict=True):
            rows = means[(means["quantity"] == quantity) & (means["model"] == model)]
            np.testing.assert_allclose(line.get_ydata(), rows.sort_values("layer")["mean"])
            np.testing.assert_array_equal(line.get_xdata(), range(N_LAYERS + 1))


def test_models_look_as_in_all_figures_of_the_run_although_the_reference_is_not_drawn(profile):
    looks = style.model_styles(MODELS)
    colors = [line.get_color() for line in by_gid(profile.axes[0], "mean")]
    assert colors == [looks[model].color for model in MODELS[1:]]


def test_the_prediction_has_a_dot_within_its_interval_for_each_model(profile, means):
    for ax, quantity in zip(profile.axes[4:], agreement_profile.PREDICTIONS, strict=True):
        dots = [dot.get_xdata()[0] for dot in by_gid(ax, "dot")]
        ends = [line.get_xdata() for line in by_gid(ax, "interval")]
        rows = means[means["quantity"] == quantity].set_index("model").loc[list(MODELS[1:])]
        assert dots == pytest.approx(rows["mean"])
        assert all(low <= dot <= high for dot, (low, high) in zip(dots, ends, strict=True))
    assert [label.get_text() for label in profile.axes[4].get_yticklabels()] == list(MODELS[1:])


def test_a_line_without_the_exact_divergence_has_a_triangle_at_its_lower_bound(means):
    older = means.copy()
    is_older = (older["quantity"] == "kl_nats") & (older["model"] == "c")
    older.loc[is_older, "quantity"] = "kl_at_least_nats"
    missing = older[is_older].assign(quantity="kl_nats", status="no logits", mean=np.nan, ci_low=np.nan, ci_high=np.nan)
    figure = agreement_profile.draw(pd.concat([older, missing]), "factual", models=MODELS)
    exact, bound = by_gid(figure.axes[5], "dot")
    assert exact.get_marker() != bound.get_marker() == ">"
    assert bound.get_xdata()[0] == pytest.approx(means.loc[is_older, "mean"].item())
    assert agreement_profile.LOWER_BOUND_NOTE in notes_of(figure)
    assert "Left out: c, 1 number (no logits)." in notes_of(figure)


def test_without_lower_bounds_nothing_is_said_about_them(profile):
    assert agreement_profile.LOWER_BOUND_NOTE not in notes_of(profile)


def test_the_title_names_the_one_reference_the_set_and_the_prompts(profile, means):
    assert profile.get_suptitle() == "Agreement with smollm2-fp32 on factual (5 prompts)"
    two = means.assign(reference=means["model"].map({"b": "x", "c": "y"}))
    assert agreement_profile.draw(two, "factual").get_suptitle().startswith("Agreement with the reference model on")


def test_conditions_are_drawn_against_the_baseline_with_a_line_each(means):
    figure = agreement_profile.draw(as_conditions(means), "factual", models=MODELS[:1], between="conditions")
    assert figure.get_suptitle() == "Agreement with the baseline on factual (5 prompts)"
    names = [label.get_text() for label in figure.axes[4].get_yticklabels()]
    assert names == ["smollm2-fp32 · b", "smollm2-fp32 · c"]
    assert len(by_gid(figure.axes[0], "mean")) == 2


@pytest.mark.parametrize("between", ["models", "conditions"])
def test_if_nothing_is_comparable_one_panel_says_so(means, between):
    figure = agreement_profile.draw(means.iloc[:0], "factual", models=MODELS, between=between)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == [f"no {between} of this prompt set can be compared"]


def test_a_number_without_a_value_is_named_beneath_with_the_reason(means):
    broken = means.copy()
    where = (broken["quantity"] == "gradient_cosine") & (broken["model"] == "b")
    broken.loc[where, ["mean", "ci_low", "ci_high", "status"]] = [np.nan, np.nan, np.nan, "zero in the model"]
    figure = agreement_profile.draw(broken, "factual", models=MODELS)
    assert "Left out: b, 1 number (zero in the model)." in notes_of(figure)
    assert len(by_gid(figure.axes[1], "mean")) == 1


def test_a_wrong_word_for_what_is_compared_is_refused(means):
    with pytest.raises(ValueError, match="expected models or conditions"):
        agreement_profile.draw(means, "factual", between="sets")


def test_weight_gradients_are_an_image_for_each_model_with_the_cosines_by_kind_and_block(means):
    figure = agreement_weights.draw(means, models=MODELS, prompt_sets=["factual"])
    images = [ax.findobj(AxesImage)[0] for ax in figure.axes[:2]]
    for image, model in zip(images, MODELS[1:], strict=True):
        rows = means[(means["quantity"] == "weight_gradient_cosine") & (means["model"] == model)]
        expected = rows.pivot(index="kind", columns="layer", values="mean").loc[[kind for kind, _ in WEIGHTS]]
        np.testing.assert_allclose(np.asarray(image.get_array()), expected)
    assert images[0].get_clim() == images[1].get_clim()
    assert images[0].get_clim()[1] == 1


def test_without_factors_one_panel_says_that_there_are_no_weight_gradients():
    figure = agreement_weights.draw(means_of(with_weights=False), models=MODELS, prompt_sets=["factual"])
    assert "no weight gradients of comparable models" in [text.get_text() for text, _ in visible_texts(figure)]


@pytest.mark.parametrize("kind", ["profile", "conditions", "weights", "many"])
def test_texts_stay_on_the_page_and_the_same_table_gives_the_same_bytes(means, tmp_path, kind):
    def draw():
        if kind == "weights":
            return agreement_weights.draw(means, models=MODELS)
        if kind == "many":
            full = make_tables(8, n_prompts=3, n_layers=12)
            return agreement_profile.draw(full["agreement_means"], "factual")
        table = as_conditions(means) if kind == "conditions" else means
        return agreement_profile.draw(table, "factual", between="conditions" if kind == "conditions" else "models")

    figure = draw()
    for text, box in visible_texts(figure):
        assert -1 <= box.x0 <= box.x1 <= figure.bbox.width + 1, text.get_text()
    for number, drawn in enumerate((figure, draw())):
        save(drawn, [tmp_path / f"{number}.png", tmp_path / f"{number}.svg"])
    for ending in ("png", "svg"):
        assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()
