"""Figures in Python: on tables and traces, with the user's settings, and a fixed colour for each model."""

import inspect
from collections import Counter

import internal_physics as ip
import matplotlib as mpl
import pandas as pd
import pytest
from hand_traces import make_trace
from internal_physics.families import registry
from internal_physics.figures import style
from internal_physics.figures.look import Look, drawn_with
from internal_physics.ground.errors import ConfigError, StoreError
from tiny_models import save_snapshot

MODELS = ["zeta", "alpha", "beta"]


def layers(drawn, **attrs):
    rows = [
        {"model": m, "condition": "baseline", "prompt_set": "s", "prompt": p, "layer": layer, "quantity": q}
        for m in drawn
        for p in ("p", "q")
        for layer in range(3)
        for q in ("relative_gradient_change", "gradient_cosine")
    ]
    table = pd.DataFrame(rows).assign(value=0.5, status="ok")
    table.attrs |= attrs
    return table


def colors(figure):
    """Panel's model → colour of its lines."""
    return {ax.get_title("left"): ax.lines[-1].get_color() for ax in figure.axes if ax.get_title("left")}


def test_the_colour_of_a_model_depends_on_its_place_in_the_run_alone():
    every = colors(ip.figures.layer_profiles(layers(MODELS, models=MODELS), "s"))
    assert every == dict(zip(MODELS, style.MODEL_COLORS, strict=False))
    for some in (["beta"], ["beta", "zeta"], ["alpha", "beta"]):
        found = colors(ip.figures.layer_profiles(layers(some, models=MODELS), "s"))
        assert found == {model: every[model] for model in some}


def test_models_without_a_run_keep_the_colour_of_their_first_figure():
    first = colors(ip.figures.layer_profiles(layers(["of_no_run_b", "of_no_run_c"]), "s"))
    later = colors(ip.figures.layer_profiles(layers(["of_no_run_a", "of_no_run_c"]), "s"))
    assert later["of_no_run_c"] == first["of_no_run_c"]
    assert later["of_no_run_a"] not in first.values()


def test_the_workflow_takes_colours_from_its_own_order_of_models():
    assert style.model_styles(["b", "a"])["b"].color == style.MODEL_COLORS[0]
    with drawn_with(Look(models=("a", "b"))):
        assert style.model_styles(["b"])["b"].color == style.MODEL_COLORS[1]
        assert style.model_styles(["x"])["x"].color == style.MODEL_COLORS[0]


def test_title_and_notes_may_be_left_out():
    table = layers(["m"])
    whole, bare = (ip.figures.layer_profiles(table, "s", title=shown, notes=shown) for shown in (True, False))
    assert whole.get_suptitle()
    assert not bare.get_suptitle()
    assert style.notes_of(bare) == ""
    assert bare.get_size_inches()[1] < whole.get_size_inches()[1]


def test_rcparams_of_the_user_override_the_style(tmp_path):
    size = {"axes.labelsize": 13.0}
    with mpl.rc_context(size):
        own = ip.figures.layer_profiles(layers(["m"]), "s")
    house = ip.figures.layer_profiles(layers(["m"]), "s")
    sizes = [Counter(ax.yaxis.label.get_fontsize() for ax in f.axes).most_common(1)[0][0] for f in (own, house)]
    assert sizes == [13.0, 8.0]
    own.savefig(tmp_path / "f.pdf")
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


def test_the_help_of_every_figure_shows_its_arguments():
    for name in dir(ip.figures):
        signature = inspect.signature(getattr(ip.figures, name))
        assert {"title", "notes"} <= set(signature.parameters), name


def test_a_kind_of_figure_asks_for_nothing_that_its_name_says():
    table = layers(MODELS).replace({"relative_gradient_change": "entropy_nats", "gradient_cosine": "perplexity"})
    assert ip.figures.information_entropy(table).get_suptitle() == "Entropy (nats) along depth"
    assert ip.figures.information_perplexity(table, "baseline").get_suptitle().startswith("Perplexity")
    assert "quantity" not in inspect.signature(ip.figures.information_entropy).parameters
    assert "quantity:" not in inspect.getdoc(ip.figures.information_entropy)


def test_what_a_kind_of_figure_draws_unless_asked_is_in_its_signature():
    defaults = {
        "layer_impact": ("quantities", "layers"),
        "layer_impact_information": ("quantities", "information"),
        "agreement_profile": ("between", "models"),
        "agreement_conditions": ("between", "conditions"),
    }
    for name, (argument, default) in defaults.items():
        assert inspect.signature(getattr(ip.figures, name)).parameters[argument].default == default, name


def test_every_figure_asks_for_tables_and_for_what_is_drawn_alone():
    asked = {"prompt_set", "model", "prompt", "prompts", "reading", "traces", *registry.TABLES, "positions", "tokens"}
    for name in dir(ip.figures):
        parameters = inspect.signature(getattr(ip.figures, name)).parameters.values()
        required = {p.name for p in parameters if p.default is inspect.Parameter.empty}
        assert required <= asked, name


@pytest.mark.parametrize(
    ("call", "where", "what"),
    [
        (lambda t: ip.figures.layer_profiles(t, "set"), "figures.layer_profiles", "no rows for prompt set 'set'"),
        (lambda t: ip.figures.layer_profiles(t, "s", titel=False), "figures.layer_profiles", "unknown key 'titel'"),
        (lambda t: ip.figures.layer_profiles(t, "s", title=0), "figures.layer_profiles → title", "found 0"),
        (lambda _: ip.figures.layer_profiles(), "figures.layer_profiles", "missing a required argument"),
        (lambda t: ip.figures.radar(t, "s"), "figures.radar", "the table lacks the columns"),
        (
            lambda _: ip.figures.trace_profile(make_trace(), "norm"),
            "figures.trace_profile → quantity",
            "found 'norm'",
        ),
    ],
)
def test_mistakes_are_refused_with_an_explanation(call, where, what):
    with pytest.raises(ConfigError) as error:
        call(layers(["m"]))
    assert error.value.where == where
    assert error.value.what.startswith(what)


def test_an_unknown_figure_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match=r"there is no figure 'rader'; there are .*radar"):
        _ = ip.figures.rader


def test_traces_are_drawn_along_depth():
    trace = make_trace()
    (line,) = ip.figures.trace_profile(trace).axes[0].lines
    assert len(line.get_xdata()) == trace.n_layers + 1
    two = ip.figures.trace_profile({"one": trace, "other": trace}, "gradient_norm")
    assert [text.get_text() for text in two.axes[0].get_legend().get_texts()] == ["one", "other"]
    with pytest.raises(StoreError, match="one Trace"):
        ip.figures.trace_profile(["a text"])


def test_a_lens_is_drawn(tmp_path):
    model = ip.load(str(save_snapshot(tmp_path / "llama", "llama_tied")))
    figure = ip.figures.lens(ip.lens(ip.record(model, "hello you"), model))
    assert figure.get_suptitle() == "Logit lens of prompt_0"
    with pytest.raises(StoreError, match=r"from ip\.lens"):
        ip.figures.lens(3)
