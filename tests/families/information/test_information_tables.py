"""The tables information and predictions: collected, checked, and their options in the config."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.config.load import load_config
from internal_physics.families.information.collect_information import information_table
from internal_physics.families.information.rows import QUANTITIES
from internal_physics.families.information.tables import INFORMATION
from internal_physics.families.information.watched import WATCHED
from internal_physics.families.registry import TABLES
from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.tables.check_tables import check_tables, table_problems
from internal_physics.tables.conform import conform

KEYS = {"model": "m", "condition": "baseline", "prompt_set": "s"}
ASKED = {"tables": TABLES, "runs": [("m", "baseline", ["s"])], "metrics": [], "prompts": {"s": ["a", "b"]}}

EMPTY = ("scores", "scores_normalized", "prompts", "layers", "isf_spectra")


def tables():
    lines = [
        {**KEYS, "prompt": prompt, "layer": layer, "quantity": quantity, "token": None, "value": 1.0, "status": "ok"}
        for prompt in "ab"
        for layer in range(2)
        for quantity in QUANTITIES
    ]
    prediction = {"text": "A text", "token": " x", "probability": 0.5, "status": "ok"}
    predicted = [{**KEYS, "prompt": prompt, "rank": rank, **prediction} for prompt in "ab" for rank in (1, 2)]
    empty = {name: pd.DataFrame(columns=list(TABLES[name].columns)) for name in EMPTY}
    empty |= {"information": pd.DataFrame(lines), "predictions": pd.DataFrame(predicted)}
    return {name: conform(table, TABLES[name]) for name, table in empty.items()}


def problems(changed):
    with pytest.raises(UserError) as caught:
        check_tables(changed, **ASKED)
    return str(caught.value)


def test_good_tables_pass_and_are_counted():
    assert f"information: {4 * len(QUANTITIES)} rows, 0 with a status other than ok" in check_tables(tables(), **ASKED)


def test_a_missing_prompt_is_found():
    changed = tables()
    changed["information"] = changed["information"].query("prompt == 'a'")
    assert "information: no row for m / baseline / s / b" in problems(changed)


def test_a_repeated_row_is_found():
    changed = tables()
    changed["predictions"] = pd.concat([changed["predictions"]] * 2, ignore_index=True)
    assert "predictions: 4 repeated rows" in problems(changed)


@pytest.mark.parametrize(
    ("quantity", "value"), [("perplexity", 0.5), ("entropy_nats", -0.1), ("final_token_rank", 0.0)]
)
def test_a_value_out_of_range_is_found(quantity, value):
    changed = tables()
    table = changed["information"]
    table.loc[table["quantity"] == quantity, "value"] = value
    assert f"{quantity} outside" in problems(changed)


def test_an_unknown_quantity_is_found():
    changed = tables()
    changed["information"].loc[0, "quantity"] = "guess"
    assert "quantity: a quantity that its family declares fails for 'guess'" in problems(changed)


def test_a_value_that_is_not_finite_needs_a_status():
    changed = tables()
    changed["information"].loc[0, "value"] = np.nan
    assert "value: not finite in a row with status ok" in problems(changed)
    changed["information"].loc[0, "status"] = "not finite"
    check_tables(changed, **ASKED)


def test_the_table_describes_what_is_read():
    assert sorted(q.name for q in INFORMATION.quantities) == sorted([*QUANTITIES, WATCHED])


def test_the_probability_of_a_watched_token_is_known_and_lies_between_0_and_1():
    changed = tables()["information"].drop_duplicates(["prompt", "layer"])
    watched = pd.concat([changed.assign(quantity=WATCHED, token=token) for token in (" x", " y")])
    assert table_problems(watched, INFORMATION) == []
    assert table_problems(watched.assign(token=" x"), INFORMATION) == [f"{len(changed)} repeated rows"]
    assert table_problems(watched.assign(value=1.5), INFORMATION) == [f"{WATCHED} outside [0, 1]"]


def test_heads_stay_in_the_metric_file():
    rows = pd.DataFrame(
        [
            {
                **KEYS,
                "prompt": "a",
                "layer": 0,
                "quantity": "q",
                "text": None,
                "value": 1.0,
                "status": "ok",
                "rank": rank,
            }
            for rank in (None, 1)
        ]
    )
    assert len(information_table(rows)) == 1


# ---- options ----------------------------------------------------------------------------------------------


def config(**more):
    texts = [{"name": name, "text": "some text"} for name in "abc"]
    return load_config({"models": {"m": {"source": "path:x"}}, "prompt_sets": {"s": {"prompts": texts}}, **more})


def test_defaults_and_the_first_prompt():
    loaded = config()
    assert loaded.raw["information"] == {
        "temperature": 1.0,
        "target": "next",
        "final_norm": True,
        "top_k": 10,
        "sampling": False,
        "watch": [],
        "lens_prompt": "",
    }
    assert "information" in loaded.raw["metrics"]
    assert loaded.lens_prompt("m") == ("s", "a")
    assert config(information={"lens_prompt": "s/c"}).lens_prompt("m") == ("s", "c")


@pytest.mark.parametrize("wanted", ["s/d", "t/a", "a"])
def test_an_unknown_lens_prompt_is_refused(wanted):
    with pytest.raises(ConfigError, match="lens_prompt: there is no prompt"):
        config(information={"lens_prompt": wanted})


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"temperature": 0}, "temperature"),
        ({"target": "previous"}, "target"),
        ({"top_k": 0}, "top_k"),
        ({"temprature": 1}, "information"),
    ],
)
def test_nonsense_is_refused_with_its_place(options, place):
    with pytest.raises(ConfigError, match=place):
        config(information=options)
