"""Where answers are decided: rank, probability and margin against plain logits; tables, means and degenerate input."""

import numpy as np
import pandas as pd
import pytest
import torch
from figure_texts import visible_texts
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.decided import decided_means, decided_table
from internal_physics.families.information.figures.decided import decided_share, draw
from internal_physics.families.information.followed import NO_TOKEN, NOT_FINITE, followed_row
from internal_physics.families.information.lens import LensOptions, lens
from internal_physics.families.information.rows import position_rows, rows
from internal_physics.families.information.tables import ALL_KINDS, DECIDED, DECIDED_MEANS
from internal_physics.models.loading import wrap_model
from internal_physics.models.readout import Readout
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.trace import Key, Trace
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform
from internal_physics.tables.keys import PROMPT_KEY
from lens_oracle import of_token, oracle_logits
from scipy import stats
from tiny_models import build_model, build_tokenizer, task_of

SETTINGS = {"seed": 0, "n_resamples": 199, "confidence_level": 0.95}
TEXTS = {"causal": "the cat sat on the mat ", "masked": "the cat [MASK] on the mat"}
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
ABSOLUTE = 1e-9  # nats; float64 models, both ways of summing agree to 1e-12


def read(name, answer=None):
    """(trace, readout, model) of one prompt in float64."""
    task = task_of(name)
    module = build_model(name, torch.float64)
    model = check_model(wrap_model(module, build_tokenizer(task == "masked"), task)).model
    model.labels = {"model": name, "condition": "baseline", "prompt_set": "s"}
    encoded = encode(Prompt("p", TEXTS[task], answer=answer), model.tokenizer, task, None)
    (trace,) = record_batches(model, [encoded], RecordOptions(weight_gradients="none"))
    return trace, Readout(model.module, model.anatomy), module


@pytest.mark.parametrize("answer", ["q", None])
@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_rank_probability_and_margin_are_those_of_plain_logits(name, answer):
    trace, readout, module = read(name, answer)
    found, t = lens(trace, readout), trace.info.read_position
    logits = [oracle_logits(name, module, trace.residual(layer))[t] for layer in range(trace.n_layers + 1)]
    token = build_tokenizer()(answer)["input_ids"][0] if answer else int(logits[-1].argmax())
    assert found.followed_id == token
    table = pd.DataFrame([row for row in rows(trace, found) if row.quantity.startswith("answer_")])
    assert len(table) == 3 * (trace.n_layers + 1)
    for row in table.itertuples():
        assert row.value == pytest.approx(of_token(logits[row.layer], token)[row.quantity], abs=ABSOLUTE)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_an_answer_is_right_exactly_where_it_is_the_models_best_token(name):
    trace, readout, module = read(name)
    best = int(oracle_logits(name, module, trace.residual(trace.n_layers))[trace.info.read_position].argmax())
    letters = {letter: build_tokenizer()(letter)["input_ids"][0] for letter in ALPHABET}
    for letter in "qz":
        right, readout, _ = read(name, letter)
        row = followed_row(right, lens(right, readout), str)
        assert (row["followed"], row["token"], row["answer"]) == ("answer", str(letters[letter]), letter)
        assert row["is_correct"] == (letters[letter] == best) == (row["final_rank"] == 1)
        assert (row["final_margin_nats"] > 0) == (row["final_rank"] == 1) == np.isfinite(row["settled_layer"])
        assert row["best_token"] == str(best)


def test_the_answer_of_a_causal_prompt_changes_nothing_that_is_recorded():
    with_answer, without = read("llama", "q")[0], read("llama")[0]
    assert with_answer.loss_nats == without.loss_nats
    for key in without.tensors:
        np.testing.assert_array_equal(with_answer.tensors[key], without.tensors[key])


def test_a_prompt_without_an_answer_follows_the_models_own_token():
    trace, readout, _ = read("llama")
    row = followed_row(trace, lens(trace, readout), str)
    assert (row["followed"], row["answer"], row["status"], row["final_rank"]) == ("own token", "", "ok", 1.0)
    assert np.isnan(row["is_correct"])
    assert (row["token"], row["settled_layer"]) == (row["best_token"], row["best_settled_layer"])


def test_the_head_without_the_norm_may_leave_the_own_token_settled_nowhere():
    trace, readout, _ = read("gpt2")
    found = lens(trace, readout, LensOptions(final_norm=False))
    row = followed_row(trace, found, str)
    assert np.isnan(row["settled_layer"]) == (found.read["final_token_rank"][-1] != 1)


def test_an_answer_without_a_token_has_a_status():
    trace, readout, _ = read("llama", "ß")
    row = followed_row(trace, lens(trace, readout), str)
    assert (row["followed"], row["status"], row["n_answer_tokens"]) == ("own token", NO_TOKEN, 0)


def test_a_readout_that_is_not_finite_has_a_status():
    trace, readout, _ = read("llama", "q")
    sick = trace.residual(trace.n_layers).copy()
    sick[-1] = np.nan
    bad = Trace(trace.info, {**trace.tensors, Key("residual", trace.n_layers, "activation"): sick})
    row = followed_row(bad, lens(bad, readout), str)
    assert (row["status"], row["token"]) == (NOT_FINITE, "")
    assert np.isnan([row["final_rank"], row["settled_layer"], row["is_correct"]]).all()


def test_the_lens_expects_the_answer_where_a_causal_text_ends():
    trace, readout, module = read("llama", "q")
    token = build_tokenizer()("q")["input_ids"][0]
    last = [row for row in position_rows(trace, lens(trace, readout), str) if row["is_read"]]
    assert {row["target"] for row in last} == {str(token)}
    for row in last:
        logits = oracle_logits("llama", module, trace.residual(row["layer"]))[-1]
        assert row["is_target"] == (logits.argmax() == token)
        assert row["surprisal_nats"] == pytest.approx(-np.log(of_token(logits, token)["answer_probability"]), abs=1e-9)
    plain = read("llama")
    assert {row["target"] for row in position_rows(plain[0], lens(*plain[:2]), str) if row["is_read"]} == {""}


# ---- tables -----------------------------------------------------------------------------------------------


def made_up(n=8, model="m", **changes):
    """Table `decided` of n prompts of two kinds; even ones are right, settled at layers 0, 2, 4, …"""
    right = np.arange(n) % 2 == 0
    rows_ = pd.DataFrame({
        **{"model": model, "condition": "baseline", "prompt_set": "s", "prompt": [f"p{i}" for i in range(n)]},
        **{"answer": "a", "followed": "answer", "token": " a", "n_answer_tokens": 1},
        "settled_layer": np.where(right, np.arange(n), np.nan),
        "settled_depth": np.where(right, np.arange(n) / 10, np.nan),
        "final_rank": np.where(right, 1.0, 3.0),
        "final_probability": np.linspace(0.1, 0.8, n),
        "final_margin_nats": np.where(right, 1.0, -1.0),
        "is_correct": right.astype(float),
        **{"best_token": " b", "best_settled_layer": 9.0, "status": "ok"},
        **changes,
    })  # fmt: skip
    prompts = rows_[["model", "prompt_set", "prompt"]].assign(kind=["x", None] * (n // 2))
    return conform(decided_table(rows_, prompts), DECIDED)


def test_the_tables_match_their_descriptions():
    decided = made_up()
    assert table_problems(decided, DECIDED) == []
    assert set(decided["kind"]) == {"x", "not given"}
    assert decided["is_correct"].tolist() == [True, False] * 4
    means = conform(decided_means(decided, **SETTINGS), DECIDED_MEANS)
    assert table_problems(means, DECIDED_MEANS) == [] or all(
        "status" in p for p in table_problems(means, DECIDED_MEANS)
    )


def test_means_are_over_the_prompts_that_have_the_number():
    means = decided_means(made_up(), **SETTINGS).set_index(["kind", "quantity"])
    whole = means.loc[ALL_KINDS]
    assert whole.loc["correct", ["mean", "n_prompts", "n_without"]].tolist() == [0.5, 8, 0]
    assert whole.loc["settled_layer", ["mean", "n_prompts", "n_without"]].tolist() == [3.0, 4, 4]
    assert whole.loc["final_probability", "mean"] == pytest.approx(0.45, abs=1e-12)
    assert whole.loc["correct", "ci_low"] < 0.5 < whole.loc["correct", "ci_high"]
    x = means.loc[("x", "correct")]
    assert x["mean"] == x["ci_high"] == 1.0
    # Wilson's interval of n of n is n / (n + z²) to 1; a bootstrap interval would have no width.
    n, z = x["n_prompts"], stats.norm.ppf(0.5 + SETTINGS["confidence_level"] / 2)
    assert x["ci_low"] == pytest.approx(n / (n + z**2), rel=1e-9)
    assert means.loc[("not given", "settled_layer"), "status"] == "no prompts: no mean"


def test_a_set_of_one_kind_is_summarised_once_and_flagged_prompts_are_left_out():
    decided = made_up().assign(kind="x")
    decided.loc[0, "status"] = "the readout is not finite"
    means = decided_means(decided, **SETTINGS)
    assert set(means["kind"]) == {ALL_KINDS}
    assert set(means.loc[means["quantity"] == "correct", "n_prompts"]) == {7}


def test_own_tokens_are_not_counted_as_answers():
    decided = made_up()
    own = decided.assign(prompt=decided["prompt"] + "_own", followed="own token", is_correct=pd.NA)
    means = decided_means(pd.concat([decided, own], ignore_index=True), **SETTINGS)
    by_followed = means[means["kind"] == ALL_KINDS].groupby("followed")["quantity"].agg(set)
    assert by_followed["answer"] - by_followed["own token"] == {"correct"}
    assert (means.loc[means["kind"] == ALL_KINDS, "n_prompts"] <= 8).all()


def test_the_same_seed_gives_the_same_means_and_without_prompts_there_are_none():
    pd.testing.assert_frame_equal(decided_means(made_up(), **SETTINGS), decided_means(made_up(), **SETTINGS))
    nothing = decided_means(made_up().assign(status="x"), **SETTINGS)
    assert len(nothing) == 0
    assert list(conform(nothing, DECIDED_MEANS).columns) == list(DECIDED_MEANS.columns)


# ---- figure -----------------------------------------------------------------------------------------------


def texts(figure):
    return " ".join(" ".join(text.get_text() for text, _ in visible_texts(figure)).split())


def information(decided, n_layers=10):
    return pd.DataFrame([
        {**row[PROMPT_KEY], "layer": layer, "quantity": q, "value": v, "status": "ok"}
        for _, row in decided.iterrows()
        for layer in range(n_layers + 1)
        for q, v in (("answer_probability", layer / 20), ("answer_rank", 11.0 - layer))
    ])  # fmt: skip


def test_the_figure_draws_the_share_of_decided_prompts_and_the_means():
    decided = made_up()
    assert decided_share(decided, 10)[[0, 1, 2, 6, 10]].tolist() == [1 / 8, 1 / 8, 2 / 8, 4 / 8, 4 / 8]
    figure = draw(information(decided), decided, "s")
    lines = {line.get_gid(): line for ax in figure.axes for line in ax.get_lines()}
    np.testing.assert_allclose(lines["decided"].get_ydata(), decided_share(decided, 10), atol=1e-12)
    np.testing.assert_allclose(lines["probability"].get_ydata(), np.arange(11) / 20, atol=1e-12)
    np.testing.assert_allclose(lines["rank"].get_ydata(), 11.0 - np.arange(11), atol=1e-12)
    text = texts(figure)
    assert "Where answers are decided on s (8 prompts)" in text
    assert "m 4 of 8" in text


def test_the_figure_shows_answers_alone_where_there_are_any_and_says_so():
    decided = made_up()
    own = decided.assign(prompt=decided["prompt"] + "_own", followed="own token", is_correct=pd.NA)
    both = pd.concat([decided, own], ignore_index=True)
    text = texts(draw(information(both), both, "s"))
    assert "Not shown: 8 prompts without an answer" in text
    text = texts(draw(information(own), own, "s"))
    assert "the model's own tokens are decided" in text


def test_the_figure_survives_a_set_without_a_usable_row():
    decided = made_up().assign(status="the readout is not finite")
    assert "Left out: m, 8 prompts" in texts(draw(information(decided), decided, "s"))
