"""The sentences on pulls and flags say what the tables hold, and claim only what is beyond chance."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.thermodynamics.findings import LEADER, findings, p_values
from internal_physics.families.thermodynamics.flags import ALL_KINDS
from internal_physics.families.thermodynamics.tables import TOP

HELD = {LEADER: 1e-6, "negative_specific_heat": 0.02}
PLACE = {"model": "m", "condition": "baseline"}


def means(prompt_set="facts", down=0.3, up=0.1, n_prompts=20, n_weights=100):
    rest = (1 - down - up) / (n_weights - 2)
    shares = {"down": (11, down), "up": (3, up)} | {f"w{i}": (i % 12, rest) for i in range(n_weights - 2)}
    return pd.DataFrame([
        PLACE | {"prompt_set": prompt_set, "measure": "gradient_share", "layer": layer,
         "parameter": name, "mean": share, "ci_low": share - 0.02, "ci_high": share + 0.03,
         "n_in_top": n_prompts - 1 if share > rest else 0, "n_prompts": n_prompts}
        for name, (layer, share) in shares.items()
    ])  # fmt: skip


def counts(p=(0.002, 0.5, 0.01), observed=(8.0, 10.0, 18.0), prompt_set="facts", n_prompts=20):
    rows = [
        {"kind": kind, "observed": seen, "expected": expected, "p_value": p_value, "n_layers": n_layers}
        for (kind, expected, n_layers), seen, p_value in zip(
            (("value", 1.0, 28), ("query", 7.0, 28), (ALL_KINDS, 8.0, 56)), observed, p, strict=True
        )
    ]
    shared = {"prompt_set": prompt_set, "phase": "negative_specific_heat", "n_prompts": n_prompts}
    return pd.DataFrame(rows).assign(**PLACE, **shared)


def tables(pulls_means=None, phase_counts=None):
    return {
        "pulls_means": means() if pulls_means is None else pulls_means,
        "phase_counts": counts() if phase_counts is None else phase_counts,
    }


def test_the_sentence_on_pulls_has_the_share_its_interval_and_n():
    found = findings(tables(), HELD)[0]
    assert found.sentence == (
        "Inside the blocks of m, the gradient is largest at down: on 20 prompts of facts, this one of 100 weights has "
        "30.0 % (28.0 % to 33.0 %) of the squared gradient (an even share is 1.0 %), and it is among the first 10 on "
        "19 of 20; it leads on 1 of 1 prompt set."
    )
    assert (found.value, found.n, found.figure, found.table) == (0.3, 20, "pulls-facts", "pulls_means")
    assert found.p_adjusted == 1e-6


def test_the_finding_is_the_weight_that_leads_on_most_sets_with_its_largest_set():
    table = pd.concat([means("a", 0.1, 0.5), means("b", n_prompts=5), means("c", n_prompts=9)], ignore_index=True)
    found = findings(tables(table), HELD)[0]
    assert found.sentence.startswith("Inside the blocks of m, the gradient is largest at down: on 9 prompts of c")
    assert found.sentence.endswith("it leads on 2 of 3 prompt sets.")


def test_a_single_prompt_has_a_share_without_an_interval():
    found = findings(tables(means(n_prompts=1).assign(ci_low=np.nan, ci_high=np.nan)), HELD)[0]
    assert "has 30.0 % of the squared gradient" in found.sentence
    assert np.isnan(found.ci_low)


def test_the_chance_of_leading_is_that_of_the_binomial_distribution_over_all_weights():
    # One of 100 weights is among the first 10 of a prompt with chance 0.1; 19 of 20 times or more: 1.81e-18.
    assert p_values(tables())[LEADER] == pytest.approx(100 * (20 * 0.1**19 * 0.9 + 0.1**20), rel=1e-9)
    assert p_values(tables(means(n_weights=TOP)))[LEADER] == 1.0  # every weight is among the first ten


def test_the_sentence_on_flags_has_counts_and_what_shuffled_layers_give():
    found = findings(tables(), HELD)[1]
    assert found.sentence == (
        "In m, 18 of 56 weights are flagged as negative specific heat (less energy where the temperature rises), a "
        "mean over 20 prompts of facts; with the layers in random order it would be 8 (adjusted p at most 0.02), "
        "most of all in value: 8.0 of 28, in random order 1.0."
    )
    assert (found.value, found.n, found.figure, found.table) == (18.0, 20, "phase_map-facts", "phase_counts")


def test_the_p_value_of_a_flag_is_that_of_all_kinds_together_because_kinds_hang_together():
    assert p_values(tables())["negative_specific_heat"] == 0.01


def test_a_single_kind_stands_for_itself():
    alone = tables(phase_counts=counts().head(1).assign(kind="all"))
    assert p_values(alone)["negative_specific_heat"] == 0.002
    assert findings(alone, HELD)[1].sentence.endswith("it would be 1 (adjusted p at most 0.02).")


def test_the_kind_that_is_named_differs_in_the_direction_of_all_kinds():
    fewer = counts(observed=(2.0, 0.0, 2.0))
    assert (
        "most of all in query: 0.0 of 28, in random order 7.0."
        in findings(tables(phase_counts=fewer), HELD)[1].sentence
    )


def test_nothing_is_said_that_does_not_hold_or_is_not_there():
    assert findings(tables(), {}) == []
    empty = tables(means().assign(mean=np.nan), counts().assign(p_value=np.nan))
    assert findings(empty, {}) == []
    assert p_values(empty) == {}
    assert p_values({name: table.head(0) for name, table in tables().items()}) == {}
