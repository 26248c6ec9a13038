"""Command `look`: its profile against the library, as text and JSON, and what is refused."""

import json

import internal_physics as ip
import numpy as np
import pytest
import torch
from hand_traces import make_trace
from internal_physics.api.off_scale import off_scale, remarks
from internal_physics.cli import commands
from internal_physics.cli.layout import columns_of
from internal_physics.cli.look_text import document
from tiny_models import save_snapshot

TEXT = "hello world"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_snapshot(tmp_path_factory.mktemp("look") / "llama", "llama_tied")


def said(capsys, *arguments):
    assert commands.main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


@pytest.fixture
def profile(folder, capsys):
    return json.loads(said(capsys, "look", folder, TEXT, "--weights", 3, "--json"), parse_constant=pytest.fail)


def test_the_profile_has_the_numbers_of_the_library(folder, profile):
    model = ip.load(str(folder))
    trace = ip.record(model, TEXT)
    scores = {row["quantity"]: row["value"] for row in profile["scores"]}
    # The same float32 pass, repeated: only the order of sums in threads may differ.
    assert scores["ec"] == pytest.approx(ip.metrics.ec(trace), rel=1e-5)
    assert scores["loss_nats"] == pytest.approx(trace.loss_nats, rel=1e-5)
    gain = ip.metrics.residual_gain(trace)
    assert [row["gain"] for row in profile["blocks"]] == pytest.approx(list(gain.gains), rel=1e-5)
    assert [row["residual_norm"] for row in profile["residuals"]] == pytest.approx(list(gain.norms), rel=1e-5)
    read = ip.lens(trace, model)
    tops = [row["top_tokens"][0]["token"] for row in profile["residuals"]]
    assert tops == list(read.top_tokens[:, read.read_position])
    assert profile["prediction"][0]["token"] == trace.logits["token"][0]
    assert profile["prediction"][0]["id"] == trace.logits["id"][0]
    ids = [[top["id"] for top in row["top_tokens"]] for row in profile["residuals"]]
    assert ids == read.layer_ids[:, : len(ids[0])].tolist()


def test_a_token_without_text_is_shown_by_its_number(profile):
    for of_top in (profile["prediction"][0], profile["residuals"][-1]["top_tokens"][0]):
        of_top |= {"token": "", "id": 4711}
    shown = [cell for block in document(profile) for row in getattr(block, "rows", ()) for cell in row]
    assert "token 4711" in shown
    assert any(str(cell).startswith("token 4711 ") for cell in shown)
    assert '""' not in shown


def test_temperatures_are_those_of_thermodynamics(folder, profile):
    model = ip.load(str(folder))
    states = ip.metrics.thermodynamics(ip.record(model, TEXT), ip.weight_spectra(model))
    ordered = states.sort_values("temperature")
    assert profile["n_weights"] == len(states)
    for part, rows in (("coldest", ordered), ("hottest", ordered.iloc[::-1])):
        assert [row["parameter"] for row in profile[part]] == list(rows["parameter"][:3])
        temperatures = [row["temperature"] for row in profile[part]]
        assert temperatures == pytest.approx(list(rows["temperature"][:3]), rel=1e-5)


def test_the_text_fits_a_terminal_and_has_no_escapes_in_a_pipe(folder, capsys):
    text = said(capsys, "look", folder, TEXT)
    assert "\x1b" not in text
    assert max(columns_of(line) for line in text.splitlines()) <= 80
    for heading in ("Prediction", "Scores", "Gradient flow and residual gain", "Logit lens", "Flags"):
        assert f"\n{heading}" in text
    assert "█" in text


def test_steering_shows_the_prediction_beside_the_baseline(folder, capsys, tmp_path):
    model = ip.load(str(folder))
    (letter,) = model.tokenizer("z", add_special_tokens=False)["input_ids"]
    towards = model.module.get_output_embeddings().weight[letter]
    torch.save(torch.as_tensor(towards).detach().clone(), tmp_path / "z.pt")
    (tmp_path / "z.yaml").write_text(f"file: {tmp_path / 'z.pt'}\nlayers: [3]\nscale: 1000\n")
    plain = ip.record(model, TEXT, logits=True).log_probabilities()
    for arguments in (["z.pt", "--layers", 3, "--scale", 1000], ["z.yaml"]):
        arguments[0] = tmp_path / arguments[0]
        profile = json.loads(said(capsys, "look", folder, TEXT, "--json", "--steer", *arguments))
        (first, *_) = profile["prediction"]
        assert first["token"] == "z"
        assert first["probability"] > 1.5 * first["baseline_probability"]  # the final norm bounds what a direction does
        assert first["baseline_probability"] == pytest.approx(np.exp(plain[letter]), rel=1e-5)  # float32 pass, repeated
    assert "without steering" in said(capsys, "look", folder, TEXT, "--steer", tmp_path / "z.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["look", "./no-such-model", TEXT], "no-such-model: there is no such file or folder"),
        (["look", "{folder}", TEXT, "--steer", "no.pt"], "--steer no.pt: there is no such file"),
        (["look", "{folder}", TEXT, "--scale", "2"], "--scale needs a direction"),
        (["look", "{folder}", TEXT, "--dtype", "float13"], "found 'float13'"),
        (["look", "{folder}", TEXT, "--weights", "0"], "look → n_weights: found 0"),
        (["look", "{folder}", ""], "text"),
    ],
)
def test_mistakes_end_with_status_2_and_a_message(folder, capsys, arguments, message):
    assert commands.main([argument.format(folder=folder) for argument in arguments]) == commands.USER_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


class TestOffScale:
    def test_one_value_far_from_the_others_is_off_scale(self):
        values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 70.0, 0.01]
        assert list(np.flatnonzero(off_scale(values))) == [6, 7]

    def test_less_than_a_factor_of_two_never_is(self):
        assert not off_scale([1.0, 1.001, 0.999, 1.002, 0.998, 1.0, 1.9, 0.51]).any()

    @pytest.mark.parametrize("values", [[1, 100], [1.0] * 9 + [5], [np.nan] * 8, []])
    def test_too_few_or_equal_values_have_no_scale(self, values):
        assert not off_scale(values).any()

    def test_a_massive_activation_and_every_status_are_named(self):
        import pandas as pd

        trace = make_trace(n_tokens=8)
        key = next(key for key in trace.tensors if key[:3] == ("residual", 1, "activation"))
        trace.tensors[key][5] *= 1000
        states = pd.DataFrame({"parameter": ["a", "b"], "status": ["zero gradient", "ok"], "temperature": [1.0, 2.0]})
        scores = [{"quantity": "isc", "status": "isc is not finite"}, {"quantity": "ec", "status": "ok"}]
        blocks = [{"block": i, "gain": 1.0, "relative_gradient_change": 1.0, "status": "ok"} for i in range(2)]
        found = remarks(trace, scores, blocks, [{"layer": 0, "status": "not finite"}], states)
        assert found[:3] == ["isc: isc is not finite", "residual 0: not finite", "1 weight: zero gradient (a)"]
        assert len(found) == 4
        assert found[3].startswith("massive activation at token 5 ('a')")

    def test_the_median_of_the_blocks_leaves_out_what_is_not_finite(self):
        import pandas as pd

        gains = [np.nan, np.inf, 1.0, 1.1, 0.9, 1.05, 0.95, 70.0]
        blocks = [{"gain": gain, "relative_gradient_change": 1.0, "status": "ok"} for gain in gains]
        nothing = pd.DataFrame({"parameter": [], "status": [], "temperature": []})
        found = remarks(make_trace(n_tokens=2), [], blocks, [], nothing)
        assert found == ["growth of the residual stream off scale at block 7 (70); the median is 1.02"]
