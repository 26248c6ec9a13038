"""Command `compare`: numbers against direct sums, and what is refused in words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hand_traces import N_LAYERS, N_TOKENS, make_trace, with_prediction
from internal_physics.cli import commands
from internal_physics.cli.layout import columns_of
from internal_physics.records.store import write_trace
from internal_physics.records.trace import Key, Trace


def saved(folder, name, trace):
    path = folder / f"{name}.parquet"
    write_trace(trace, path)
    return str(path)


def compared(capsys, *paths, text=False):
    assert commands.main(["compare", *paths, *([] if text else ["--json"])]) == 0
    said = capsys.readouterr().out
    return said if text else json.loads(said, parse_constant=pytest.fail)


def test_layers_weights_and_predictions_are_direct_sums(tmp_path, capsys):
    a, b = (with_prediction(make_trace(seed=seed, dtype=np.float64), seed=seed) for seed in (0, 1))
    found = compared(capsys, saved(tmp_path, "a", a), saved(tmp_path, "b", b))
    x, y = a.residual_gradient(1).ravel(), b.residual_gradient(1).ravel()
    row = found["residuals"][1]
    # float64 throughout: only the order of sums differs.
    assert row["gradient_cosine"] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), rel=1e-12)
    assert row["gradient_distance"] == pytest.approx(np.linalg.norm(x - y) / np.linalg.norm(y), rel=1e-12)
    p, q = (np.exp(t.log_probabilities()) for t in (b, a))
    values = {row["quantity"]: row["value"] for row in found["prediction"]}
    assert values["kl_nats"] == pytest.approx(float(np.sum(p * np.log(p / q))), rel=1e-9)
    assert found["refused"] == []
    assert found["n_weights"] == len(a.parameters)
    cosines = [row["cosine"] for row in found["weights"]]
    assert cosines == sorted(cosines)
    name = found["weights"][0]["parameter"]
    g, h = (t.gradient(name).dense().ravel() for t in (a, b))
    assert cosines[0] == pytest.approx(g @ h / np.linalg.norm(g) / np.linalg.norm(h), rel=1e-9)


def test_a_record_agrees_with_itself(tmp_path, capsys):
    path = saved(tmp_path, "a", with_prediction(make_trace()))
    found = compared(capsys, path, path)
    assert {row["difference"] for row in found["scores"] if row["status"] == "ok"} == {0.0}
    assert [row["gradient_cosine"] for row in found["residuals"]] == pytest.approx([1.0] * (N_LAYERS + 1), abs=1e-12)


def test_other_tokens_leave_scores_and_a_reason(tmp_path, capsys):
    a, b = (with_prediction(make_trace(n_tokens=n)) for n in (N_TOKENS, N_TOKENS + 1))
    found = compared(capsys, saved(tmp_path, "a", a), saved(tmp_path, "b", b))
    assert found["refused"] == ["residuals, gradients and predictions: other tokens than b"]
    assert (found["residuals"], found["prediction"], found["n_weights"]) == ([], [], 0)
    assert len(found["scores"]) == 7
    assert len(found["blocks"]) == N_LAYERS


def test_what_a_record_does_not_keep_is_named(tmp_path, capsys):
    a, b = with_prediction(make_trace(), logits=False), with_prediction(make_trace(keep="norms"), logits=False)
    found = compared(capsys, saved(tmp_path, "a", a), saved(tmp_path, "b", b))
    assert [sentence.partition(":")[0] for sentence in found["refused"]] == [
        "weight gradients",
        "KL divergence of the predictions",
    ]
    assert any(row["quantity"] == "kl_at_least_nats" and row["status"] == "ok" for row in found["prediction"])


def test_a_number_that_is_not_finite_is_null_with_a_status(tmp_path, capsys):
    trace = with_prediction(make_trace())
    trace.tensors[Key("residual", 0, "gradient")][:] = 0
    trace = Trace(replace(trace.info, loss_nats=float("nan")), trace.tensors)
    path = saved(tmp_path, "a", trace)
    by_name = {row["quantity"]: row for row in compared(capsys, path, path)["scores"]}
    assert by_name["isa"]["a"] is None
    assert by_name["isa"]["status"] != "ok"


def test_the_text_has_every_part_and_fits(tmp_path, capsys):
    a, b = (with_prediction(make_trace(seed=seed), seed=seed) for seed in (0, 1))
    text = compared(capsys, saved(tmp_path, "a", a), saved(tmp_path, "b", b), text=True)
    assert max(columns_of(line) for line in text.splitlines()) <= 80
    assert "+0.0 %" in text  # both have the same loss
    for heading in ("Scores", "Predictions", "Layers", "Weight gradients that agree least"):
        assert f"\n{heading}" in text


def test_files_that_are_no_records_are_refused(tmp_path, capsys):
    path = saved(tmp_path, "a", with_prediction(make_trace()))
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    for other, message in ((tmp_path / "no.parquet", "there is no such file"), (tmp_path / "b.parquet", "Parquet")):
        assert commands.main(["compare", path, str(other)]) == commands.USER_ERROR
        assert message in capsys.readouterr().err
