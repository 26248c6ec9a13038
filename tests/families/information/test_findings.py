"""The finding on where answers are decided: it has the numbers of the tables, and is left out without answers."""

import pandas as pd
import pytest
from internal_physics.families.information.findings import findings, p_values
from internal_physics.families.information.tables import ALL_KINDS

NUMBERS = ("mean", "ci_low", "ci_high", "n_prompts")
PLACE = {"model": "m", "condition": "baseline"}


def tables(share=(0.5, 0.3, 0.7, 10), settled=(7.5, 7.0, 7.8, 5), prompt_set="facts", followed="answer"):
    key = PLACE | {"prompt_set": prompt_set, "followed": followed}
    decided = [
        key | {"prompt": f"p{i}", "settled_layer": 8 if i < 5 else pd.NA, "settled_depth": 0.8 if i < 5 else None}
        for i in range(10)
    ]
    means = [
        key | {"kind": ALL_KINDS, "quantity": name} | dict(zip(NUMBERS, row, strict=True))
        for name, row in (("correct", share), ("settled_layer", settled))
    ]  # fmt: skip
    return {"decided": pd.DataFrame(decided), "decided_means": pd.DataFrame(means)}


def test_the_sentence_has_the_numbers_their_intervals_and_n():
    (found,) = findings(tables(), {})
    assert found.sentence == (
        "m predicts the right answer on 5 of 10 prompts of facts (50 %, 30 % to 70 %); there it is on top for good "
        "from residual 7.5 of 10 on average (7.0 to 7.8; residual 10 leaves the last block)."
    )
    assert (found.value, found.ci_low, found.ci_high, found.n) == (7.5, 7.0, 7.8, 5)
    assert (found.figure, found.table) == ("decided-facts", "decided_means")


def test_the_finding_is_about_the_set_with_the_most_answers():
    few, many = tables(prompt_set="few"), tables(prompt_set="many")
    few["decided"] = few["decided"].head(3)
    both = {name: pd.concat([few[name], many[name]], ignore_index=True) for name in few}
    assert [found.figure for found in findings(both, {})] == ["decided-many"]


@pytest.mark.parametrize("settled", [(float("nan"), float("nan"), float("nan"), 0)])
def test_a_model_that_gives_no_answer_is_decided_nowhere(settled):
    (found,) = findings(tables(share=(0.0, 0.0, 0.0, 10), settled=settled), {})
    assert found.sentence == "m predicts the right answer on 0 of 10 prompts of facts (0 %, 0 % to 0 %)."
    assert (found.value, found.n) == (0.0, 10)


def test_without_answers_the_models_own_token_is_told():
    (found,) = findings(tables(followed="own token"), {})
    assert found.sentence == (
        "On 5 prompts of facts, the token that m predicts is on top for good from residual 7.5 of 10 on average (7.0 "
        "to 7.8; residual 10 leaves the last block)."
    )
    assert (found.value, found.n, found.figure) == (7.5, 5, "decided-facts")


def test_where_there_is_nothing_nothing_is_said_and_nothing_is_claimed():
    empty = {name: table.head(0) for name, table in tables().items()}
    assert findings(empty, {}) == []
    assert p_values(empty) == p_values(tables()) == {}
