"""Figures of conditions: what they show, what they leave out, and equal bytes on every run."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.comparison.compare import compare
from internal_physics.families.comparison.figures import (
    beside,
    difference_distributions,
    layer_impact,
    standard_control,
    watched_tokens,
)
from internal_physics.figures.by_set import by_set
from internal_physics.figures.style import notes_of, save

N_PROMPTS, N_LAYERS = 6, 5
DRAWERS = {
    "layers": standard_control.draw,
    "comparisons": layer_impact.draw,
    "prompts": difference_distributions.draw,
}


def make_tables(conditions=("push",), models=("a", "b"), steered=("a", "b")):
    """Tables of one set in which every condition adds 1 to every number."""
    rng = np.random.default_rng(0)
    rows, prompts = [], []
    for model in models:
        for condition in ("baseline", *(conditions if model in steered else ())):
            shift = 0.0 if condition == "baseline" else 1.0 + conditions.index(condition)
            for p in range(N_PROMPTS):
                keys = {"model": model, "condition": condition, "prompt_set": "s", "prompt": f"p{p}"}
                numbers = rng.random(5) + shift
                prompts.append(
                    {**keys, **dict(zip(difference_distributions.NUMBERS, numbers, strict=True)), "status": "ok"}
                )
                for layer in range(N_LAYERS):
                    for quantity, value in (("gradient_norm", 10.0 ** (layer - 2)), ("gradient_cosine", 0.1 * layer)):
                        number = value * (1 + shift) * (1 + 0.1 * rng.random())
                        rows.append({**keys, "layer": layer, "quantity": quantity, "value": number, "status": "ok"})
    layers = pd.DataFrame(rows)
    metric_rows = layers.assign(metric="isc", n_tokens=3, loss_nats=1.0, rank=pd.array([None] * len(layers), "Int64"))
    metric_rows["layer"] = metric_rows["layer"].astype("Int64")
    compared = compare(metric_rows, seed=0, n_resamples=99, confidence_level=0.95)
    return {"layers": layers, "prompts": pd.DataFrame(prompts), "comparisons": compared}


def by_gid(figure, gid):
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def test_every_condition_is_drawn_to_the_right_of_the_baseline_on_one_axis():
    figure = standard_control.draw(make_tables(("push", "pull"))["layers"], "s")
    titles = [ax.get_title() or ax.get_title("left") for ax in figure.axes]
    assert [t for t in titles if t] == ["standard", "push", "pull"]
    panels = figure.axes[:6]
    assert {ax.get_ylim() for ax in panels[:3]} == {panels[0].get_ylim()}
    assert [ax.get_yscale() for ax in panels] == ["linear"] * 3 + ["log"] * 3


def test_past_three_controls_a_new_block_begins_with_the_baseline():
    figure = standard_control.draw(make_tables(("c1", "c2", "c3", "c4"), ("a",), ("a",))["layers"], "s")
    titles = [t for ax in figure.axes if (t := ax.get_title() or ax.get_title("left"))]
    assert titles == ["standard", "c1", "c2", "c3", "standard", "c4"]


def test_a_model_that_was_not_steered_shows_in_the_baseline_only():
    figure = standard_control.draw(make_tables(steered=("a",))["layers"], "s", models=["a", "b"])
    standard, push = figure.axes[0], figure.axes[1]
    assert (len(standard.lines), len(push.lines)) == (2, 1)


def test_impact_is_zero_at_the_baseline_and_shows_the_tables_values():
    tables = make_tables()
    figure = layer_impact.draw(tables["comparisons"], "s")
    assert by_gid(figure, "zero")
    drawn = figure.axes[0].lines[1].get_ydata()
    rows = tables["comparisons"].query("quantity == 'gradient_cosine' and measure == 'difference' and model == 'a'")
    np.testing.assert_allclose(drawn, rows.sort_values("layer")["value"].to_numpy())


def test_impact_leaves_out_what_has_no_interval_and_says_so():
    table = make_tables()["comparisons"]
    table.loc[table.layer == 0, ["ci_low", "ci_high", "status"]] = [np.nan, np.nan, "one prompt: no interval"]
    assert "one prompt: no interval" in notes_of(layer_impact.draw(table, "s"))


def test_differences_are_those_of_each_prompt():
    prompts = make_tables()["prompts"]
    found = difference_distributions.differences(prompts)
    one = prompts[(prompts.model == "b") & (prompts.prompt == "p2")].set_index("condition")["isg"]
    here = found[(found.model == "b") & (found.prompt == "p2")]
    assert here["isg"].iloc[0] == pytest.approx(one["push"] - one["baseline"])
    assert len(found) == 2 * N_PROMPTS


def test_a_metric_that_was_not_computed_has_no_panel_and_gaps_are_counted():
    prompts = make_tables()["prompts"].assign(isa=np.nan)
    prompts.loc[0, "ec"] = np.inf
    figure = difference_distributions.draw(prompts, "s")
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert not any("ISA" in label for label in labels)
    assert "1 prompt without ec" in notes_of(figure)


@pytest.mark.parametrize("table", DRAWERS)
def test_equal_tables_give_equal_bytes_and_no_empty_note(table, tmp_path):
    for name in ("a", "b"):
        figure = DRAWERS[table](make_tables()[table], "s")
        save(figure, [tmp_path / f"{name}.png", tmp_path / f"{name}.svg"])
        assert notes_of(figure)
    for kind in ("png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.parametrize("table", DRAWERS)
def test_a_set_without_conditions_is_refused(table):
    rows = make_tables()[table]
    with pytest.raises(ValueError, match="no condition but the baseline"):
        DRAWERS[table](rows[rows.condition == "baseline"], "s")


def test_a_figure_of_a_set_shows_the_models_that_ran_it(tmp_path):
    shown = []

    def draw(table, prompt_set, *, models):
        shown.append((prompt_set, tuple(models), set(table.model)))
        return standard_control.draw(table, prompt_set, models=models)

    layers = make_tables()["layers"]
    other = make_tables(models=("m",), steered=("m",))["layers"].assign(prompt_set="t")
    drawn = list(by_set(draw, pd.concat([layers, other]), ["m", "a", "b"], ["s", "t"]))
    assert [name for name, _ in drawn] == ["s", "t"]
    assert shown == [("s", ("a", "b"), {"a", "b"}), ("t", ("m",), {"m"})]


def test_labels_know_the_quantities_and_leave_others_readable():
    assert beside.label("entropy_nats") == "entropy\n(nats)"
    assert beside.label("specific_heat") == "specific heat"


def watched(models=("a", "b"), conditions=("push", "pull")):
    """Rows of two tokens at two layers: ' up' doubles where the model is pushed, ' down' halves."""
    rows = []
    for model in models:
        for condition in conditions:
            factor = 2.0 if condition == "push" else 0.5
            for token, own in ((" up", factor), (" down", 1 / factor)):
                for layer in (0, 1):
                    before = 0.01 * (1 + layer)
                    change = before * (own - 1)
                    for measure in ("difference", "percent_change"):
                        keys = {"model": model, "condition": condition, "prompt_set": "s", "metric": "information"}
                        numbers = {"baseline": before, "steered": before + change, "value": change, "n_prompts": 6}
                        ends = {"ci_low": change - 0.001, "ci_high": change + 0.001, "layer": layer, "measure": measure}
                        rows.append(keys | {"quantity": "probability", "token": token, "status": "ok"} | numbers | ends)
    return pd.DataFrame(rows)


def test_watched_tokens_stand_at_their_final_probability_in_every_condition():
    figure = watched_tokens.draw(watched(), "s")
    push, pull = (by_gid(figure, f"steered {name}")[0].get_xdata() for name in ("push", "pull"))
    np.testing.assert_allclose(push, [0.04, 0.01])
    np.testing.assert_allclose(pull, [0.01, 0.04])
    for ring in by_gid(figure, "baseline"):
        np.testing.assert_allclose(ring.get_xdata(), [0.02, 0.02])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ['" up"', '" down"']
    assert figure.axes[0].get_xscale() == "log"


def test_a_set_without_watched_tokens_is_refused():
    with pytest.raises(ValueError, match="no token was watched"):
        watched_tokens.draw(watched(), "another")


def test_impact_draws_the_quantities_asked_for():
    comparisons = make_tables()["comparisons"]
    figure = layer_impact.draw(comparisons, "s", quantities=("gradient_norm",))
    assert [ax.get_ylabel().split("\n")[0] for ax in figure.axes if ax.get_ylabel()] == ["gradient norm"]
