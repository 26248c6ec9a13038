"""Gates of the experiment on grammars, and what its figures draw."""

import pandas as pd
import pytest
from internal_physics.ground.status import OK
from internal_physics.lab.experiments.grammar.figures import (
    lab_grammar_attention,
    lab_grammar_learning,
    lab_grammar_probes,
)
from internal_physics.lab.experiments.grammar.gates import gates

ARMS = {
    name: {"data": {}, "model": {"attention": kind, "masked": masked}, "training": {}}
    for name, kind, masked in (
        ("table", "absolute", False),
        ("turned", "rotary", False),
        ("flat", "uniform", False),
        ("both_ways", "rotary", True),
    )
}
KL = {"table": (0.30, 0.32), "turned": (0.12, 0.13), "flat": (0.08, 0.34)}
STATUS_OF_MASKED = "a masked model predicts no next token"


def learned():
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "step": step,
            "cut": cut,
            "kl_nats": kl * (2 if step == 0 else 1) + cut,
            "n_generated": 10,
            "accuracy": 0.5,
            "n_distinct": 9,
            "n_distinct_grammar": 10,
            "entropy_nats": 12.5,
            "grammar_entropy_nats": 12.0,
            "status": OK,
        }
        for arm, of_seeds in KL.items()
        for seed, kl in enumerate(of_seeds)
        for step in (0, 100)
        for cut in (0, 10)
    ]
    masked = [{"arm": "both_ways", "seed": 0, "step": 100, "cut": 0, "n_generated": 0, "status": STATUS_OF_MASKED}]
    return pd.DataFrame([*rows, *masked])


def probes():
    return pd.DataFrame(
        {
            "arm": arm,
            "seed": seed,
            "weights": weights,
            "residual": residual,
            "level": level,
            "target": target,
            "accuracy": 0.6
            + 0.1 * residual * (weights == "trained")
            + 0.1 * (arm == "turned" and weights == "trained"),
            "n_draws": 6 if weights == "random" else 1,
            "accuracy_std": 0.01 * (seed + 1) if weights == "random" else float("nan"),
            "majority": 0.5,
            "n_tokens": 50,
            "status": OK,
        }
        for arm in ARMS
        for seed in (0, 1)
        for weights in ("trained", "random")
        for residual in (0, 1)
        for level in ("NT5", "NT6")
        for target in ("symbol", "boundary")
    )


def attention():
    return pd.DataFrame(
        {
            "arm": arm,
            "seed": seed,
            "block": block,
            "level": level,
            "pairs": pairs,
            "offset": offset,
            "excess_attention": 0.1 * (offset == 0) * (block + 1),
            "n_pairs": 5,
            "status": OK,
        }
        for arm in ("flat", "turned")
        for seed in (0, 1)
        for block in (0, 1)
        for level in ("NT5", "NT6")
        for pairs, offsets in (("to_end", (-1, 0, 1)), ("between_ends", (0, 1)))
        for offset in offsets
    )


TABLES = {"lab_grammar": learned(), "lab_grammar_probes": probes(), "lab_grammar_attention": attention()}


def test_gates_compare_arms_by_their_attention_seed_by_seed_after_the_last_step():
    found = gates(TABLES, ARMS)
    by_uniform = next(gate for gate in found if gate.claim.startswith("Uniform"))
    assert by_uniform.values == pytest.approx({0: 0.22, 1: -0.02})
    assert by_uniform.is_hard
    assert by_uniform.verdict == "missed"
    by_rotary = next(gate for gate in found if gate.claim.startswith("Rotary"))
    assert by_rotary.verdict == "met"
    assert by_rotary.values == pytest.approx({0: 0.18, 1: 0.19})


def test_gates_of_probes_are_gains_over_a_model_that_learned_nothing():
    of_probes = [gate for gate in gates(TABLES, ARMS) if "can be read off" in gate.claim]
    found = {gate.claim.split(":")[0] + gate.claim.split("level ")[1][:3]: gate for gate in of_probes}
    assert found["Arm turnedNT5"].values == pytest.approx({0: 0.2, 1: 0.2})
    assert (found["Arm turnedNT5"].is_hard, found["Arm turnedNT5"].verdict) == (True, "met")
    assert found["Arm turnedNT6"].is_hard
    assert (found["Arm both_waysNT6"].is_hard, found["Arm both_waysNT6"].verdict) == (False, "missed")
    assert len(found) == 8
    assert all("models that learned nothing (mean of 6)" in gate.claim for gate in of_probes)


def test_the_standard_deviation_over_draws_is_reported_beside_the_gain():
    spread = [gate for gate in gates(TABLES, ARMS) if "standard deviation" in gate.claim]
    assert [gate.claim[:10] + gate.claim[-3:] for gate in spread] == ["Arm turnedNT5", "Arm turnedNT6"]
    assert spread[0].values == pytest.approx({0: 0.01, 1: 0.02})
    assert {gate.verdict for gate in spread} == {"reported"}


def test_the_share_of_errors_that_training_removes_is_reported_beside_the_gain():
    removed = [gate for gate in gates(TABLES, ARMS) if "probe's errors" in gate.claim]
    assert [gate.claim[-3:] for gate in removed] == ["NT5", "NT6"]
    assert removed[0].values == pytest.approx({0: 0.5, 1: 0.5})  # from 0.6 to 0.8
    assert {gate.verdict for gate in removed} == {"reported"}


def test_a_masked_model_is_compared_at_the_level_nearest_to_the_root():
    (gate,) = [gate for gate in gates(TABLES, ARMS) if gate.claim.startswith("A masked model")]
    assert "(NT5)" in gate.claim
    assert gate.values == pytest.approx({0: 0.1, 1: 0.1})
    assert not gate.is_hard


def test_without_probes_of_the_masked_model_nothing_is_compared():
    probed = TABLES | {"lab_grammar_probes": probes().query("arm != 'both_ways'")}
    claims = [gate.claim for gate in gates(probed, ARMS)]
    assert not any(claim.startswith("A masked model") for claim in claims)
    assert any("Arm turned" in claim for claim in claims)


def test_attention_to_an_end_is_set_against_that_to_its_neighbours():
    (gate,) = [gate for gate in gates(TABLES, ARMS) if "attention beyond" in gate.claim]
    assert gate.values == pytest.approx({0: 0.15, 1: 0.15})
    assert (gate.verdict, gate.is_hard) == ("met", False)


def test_claims_without_their_arms_are_left_out():
    few = {"flat": ARMS["flat"]}
    assert {gate.claim.split(":")[0] for gate in gates(TABLES, few)} == {"Arm flat"}


def test_figures_draw_every_arm_and_say_what_is_left_out():
    figure = lab_grammar_learning.draw(learned())
    distance, surplus, *by_cut = figure.axes
    assert [text.get_text() for text in distance.get_legend().get_texts()] == ["flat", "table", "turned"]
    thick = [line for line in distance.lines if line.get_linewidth() > 1]
    assert thick[1].get_ydata().tolist() == pytest.approx([0.62, 0.31])
    assert thick[1].get_xdata().tolist() == [0, 100]
    assert {y for line in surplus.lines[:3] for y in line.get_ydata()} == {0.5}
    assert [ax.get_title("left") for ax in by_cut] == ["valid strings, nothing given", "valid strings, 10 tokens given"]
    assert any("both_ways" in text.get_text() for text in figure.texts)


def test_the_figure_of_probes_sets_trained_against_random():
    figure = lab_grammar_probes.draw(probes())
    assert [ax.get_title("left") for ax in figure.axes[:2]] == ["which symbol (NT6)", "which symbol (NT5)"]
    lines = {(line.get_label(), line.get_linestyle()): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines["turned", "-"] == pytest.approx([0.7, 0.8])
    assert lines["flat", "-"] == pytest.approx([0.6, 0.7])


def test_the_figure_of_attention_averages_blocks():
    figure = lab_grammar_attention.draw(attention())
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() > 1]
    assert thick[0].get_ydata().tolist() == pytest.approx([0, 0.15, 0])
    assert [ax.get_xlabel() for ax in figure.axes[::2]] == ["shift (tokens)", "how many subtrees earlier"]
