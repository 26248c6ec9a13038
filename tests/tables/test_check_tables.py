"""The data test at the end of every run: good tables pass, and each way of spoiling one is refused by name."""

import copy

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.registry import TABLES
from internal_physics.families.scores.tables import ALONE
from internal_physics.families.thermodynamics.family import FAMILY
from internal_physics.ground.errors import UserError
from internal_physics.tables.check_tables import check_tables
from internal_physics.tables.conform import conform
from synthetic_tables import METRICS, MODELS, make_tables
from synthetic_weights import make_weight_tables

N_PROMPTS, SETS = 5, ("factual", "nonsense")
FULL = {"n_models": 4, "n_prompts": N_PROMPTS, "n_layers": 3, "prompt_sets": SETS}
ASKED = {
    "models": MODELS[:4],
    "conditions": ["baseline"],
    "metrics": [*METRICS, "residual_gain"],
    "prompts": {name: [f"{name}_{i:02d}" for i in range(1, N_PROMPTS + 1)] for name in SETS},
}


MADE_UP = [name for name in TABLES if name in {*make_tables(**FULL), *make_weight_tables(1, n_prompts=3, n_layers=2)}]


def conformed(tables):
    return {name: conform(tables[name], TABLES[name]) for name in TABLES if name in tables}


def weight_tables():
    """Those of the weights, with the names of the run: the same numbers on both prompt sets."""
    found = make_weight_tables(4, n_prompts=N_PROMPTS, n_layers=4)
    models = {f"m{i}": name for i, name in enumerate(MODELS[:4])}
    renamed = {}
    for table in (table for table in FAMILY.tables if table.name in found):  # pulls have tests of their own
        whole = found[table.name].assign(model=found[table.name]["model"].map(models))
        if "prompt_set" in table.columns:
            whole = pd.concat([whole.assign(prompt_set=name) for name in SETS], ignore_index=True)
        if "prompt" in table.columns:
            number = whole["prompt"].str.removeprefix("p").astype(int) + 1
            whole["prompt"] = whole["prompt_set"] + number.map("_{:02d}".format)
        renamed[table.name] = whole
    return renamed


def made_tables(*, flawed):
    return conformed(make_tables(**FULL, flawed=flawed) | weight_tables())


@pytest.fixture(scope="module")
def made():
    return made_tables(flawed=False)


@pytest.fixture
def good(made):
    return copy.deepcopy(made)


def check(tables, *, models, conditions, metrics, prompts):
    runs = [(model, condition, list(prompts)) for model in models for condition in conditions]
    return check_tables(tables, TABLES, metrics=metrics, prompts=prompts, runs=runs)


def refused(tables, **asked):
    with pytest.raises(UserError) as error:
        check(tables, **(ASKED | asked))
    assert error.value.todo
    return error.value.what


def alone(tables, name):
    """One table, and the one that its row counts are compared with: all that a fault inside of it takes to be found."""
    return {other: tables[other] for other in (name, TABLES[name].rows_as_in) if other in tables}


def test_good_tables_pass_with_a_line_each(good):
    lines = check(good, **ASKED)
    assert [line.split(":")[0] for line in lines] == [name for name in TABLES if name in good]
    assert f"prompts: {4 * 2 * N_PROMPTS} rows, 0 with a status other than ok" in lines


def test_flagged_rows_pass_and_are_counted():
    lines = check(made_tables(flawed=True), **ASKED)
    assert f"prompts: {4 * 2 * N_PROMPTS} rows, 2 with a status other than ok" in lines


def test_a_number_that_does_not_exist_by_definition_is_counted_too(good):
    tables = dict(good)
    scores = tables["scores_normalized"]
    tables["scores_normalized"] = scores.assign(status=scores["status"].where(scores.index > 1, ALONE))
    lines = check(tables, **ASKED)
    assert f"scores_normalized: {len(scores)} rows, 2 with a status other than ok" in lines


def test_checked_tables_are_not_changed(good, made):
    check(good, **ASKED)
    for name in made:
        pd.testing.assert_frame_equal(good[name], made[name])


OUT_OF_RANGE = [
    ("scores", "n_prompts", -1),
    ("scores_normalized", "score", 1.1),
    ("scores_normalized", "score", -0.1),
    ("prompts", "n_tokens", 0),
    ("prompts", "loss_nats", -0.5),
    ("prompts", "ec", -1.0),
    ("prompts", "isc", -1.0),
    ("prompts", "isg", -1.0),
    ("prompts", "isa", 1.5),
    ("prompts", "isa", -0.1),
    ("layers", "layer", -1),
    ("isf_spectra", "rank", 0),
    ("isf_spectra", "eigenvalue", -1.0),
    ("gains", "last_gain", -0.1),
    ("gains", "entropy_nats", -0.1),
    ("hypotheses", "p_adjusted", 1.1),
    ("hypotheses", "n", -1),
    ("correlations", "pearson_r", 1.01),
    ("correlations", "spearman_rho", -1.01),
    ("correlations", "pearson_p", 1.01),
    ("correlations", "spearman_p", -0.01),
    ("correlations", "p_adjusted", 2.0),
]


@pytest.mark.parametrize(("name", "column", "value"), OUT_OF_RANGE, ids=str)
def test_a_value_out_of_range_is_refused_even_in_a_flagged_row(good, name, column, value):
    good[name].loc[2, [column, "status"]] = [value, "flagged"]
    message = refused(alone(good, name))
    assert f"{name}: {column}: " in message
    assert str(value) in message


MUST_BE_FINITE = [
    ("scores", ["value", "ci_low", "ci_high"]),
    ("scores_normalized", ["score"]),
    ("prompts", ["loss_nats", "ec", "isc", "isg", "isa"]),
    ("layers", ["value"]),
    ("isf_spectra", ["eigenvalue", "fitted"]),
    ("gains", ["log_cumulative_gain", "entropy_nats", "last_gain"]),
    ("hypotheses", ["ci_low", "ci_high", "value"]),
    ("correlations", ["pearson_r", "pearson_p", "spearman_rho", "spearman_p", "p_adjusted"]),
]


@pytest.mark.parametrize(("name", "column"), [(name, column) for name, columns in MUST_BE_FINITE for column in columns])
def test_a_missing_value_needs_a_status(good, name, column):
    good[name].loc[1, column] = np.nan
    assert f"{name}: {column}" in refused(alone(good, name))
    good[name].loc[1, "status"] = "a reason"
    check(alone(good, name), **ASKED)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize(("name", "column"), [(name, columns[-1]) for name, columns in MUST_BE_FINITE])
def test_an_infinite_value_needs_a_status_too(good, name, column, value):
    good[name].loc[1, column] = value
    assert f"{name}: {column}" in refused(alone(good, name))


def test_a_metric_that_was_not_asked_for_may_be_empty(good):
    good["prompts"]["isg"] = np.nan
    for name in ("scores", "scores_normalized"):
        good[name] = good[name][good[name].metric != "isg"].reset_index(drop=True)
    check(good, **(ASKED | {"metrics": [m for m in ASKED["metrics"] if m != "isg"]}))
    assert "isg: not finite" in refused(good)


def test_a_score_that_cannot_be_negative_is_refused_even_in_a_flagged_row(good):
    row = good["scores"].index[good["scores"].metric == "isg"][0]
    good["scores"].loc[row, ["value", "status"]] = [-0.1, "flagged"]
    assert "scores: isg outside [0, inf]" in refused(good)


@pytest.mark.parametrize(
    ("quantity", "value"),
    [("gradient_cosine", 1.5), ("gradient_cosine", -1.5), ("relative_gradient_change", -0.1), ("gradient_norm", -1.0)],
)
def test_a_layer_quantity_out_of_its_range_is_refused(good, quantity, value):
    layers = good["layers"]
    layers.loc[layers.index[layers.quantity == quantity][0], "value"] = value
    assert f"layers: {quantity} outside" in refused(alone(good, "layers"))


def test_an_unknown_layer_quantity_is_refused(good):
    good["layers"].loc[0, "quantity"] = "entropy"
    assert "layers: quantity: a quantity that its family declares fails for 'entropy'" in refused(good)


@pytest.mark.parametrize("name", MADE_UP)
def test_a_missing_column_is_refused(good, name):
    column = list(TABLES[name].columns)[1]
    good[name] = good[name].drop(columns=column)
    assert f"{name}: " in refused(alone(good, name))


@pytest.mark.parametrize("name", MADE_UP)
def test_an_unknown_column_is_refused(good, name):
    good[name]["note"] = 1
    assert "note" in refused(alone(good, name))


@pytest.mark.parametrize("name", MADE_UP)
def test_columns_out_of_order_are_refused(good, name):
    good[name] = good[name][list(TABLES[name].columns)[::-1]]
    assert f"{name}: " in refused(alone(good, name))


@pytest.mark.parametrize("name", MADE_UP)
def test_a_missing_status_is_refused(good, name):
    good[name].loc[0, "status"] = None
    assert f"{name}: status" in refused(alone(good, name))


@pytest.mark.parametrize("name", MADE_UP)
def test_a_column_of_another_type_is_refused(good, name):
    column = next(c for c, spec in TABLES[name].columns.items() if spec.dtype in ("float64", "int64"))
    good[name][column] = good[name][column].astype(str)
    assert f"{name}: {column}" in refused(alone(good, name))


@pytest.mark.parametrize("name", MADE_UP)
def test_a_repeated_row_is_refused(good, name):
    repeated = good[name].iloc[:2]
    good[name] = pd.concat([good[name], repeated], ignore_index=True)
    assert f"{name}: {len(repeated)} repeated rows" in refused(alone(good, name))


@pytest.mark.parametrize("name", ["scores", "scores_normalized", "prompts", "isf_spectra", "gains"])
def test_a_missing_row_is_named(good, name):
    gone = good[name].iloc[3]
    good[name] = good[name].drop(index=3).reset_index(drop=True)
    last = gone[next(c for c in ("metric", "prompt", "rank") if c in gone)]
    assert f"{name}: no row for {gone.model} / baseline / {gone.prompt_set} / {last}" in refused(alone(good, name))


def test_a_prompt_without_layers_is_named(good):
    layers = good["layers"]
    good["layers"] = layers[layers.prompt != "factual_03"].reset_index(drop=True)
    assert f"layers: no row for {MODELS[0]} / baseline / factual / factual_03" in refused(good)


CHECKED_BY_MODEL = [
    name for name, table in TABLES.items() if name in MADE_UP and table.members is not None and "model" in table.group
]


@pytest.mark.parametrize("name", CHECKED_BY_MODEL)
def test_a_model_that_the_config_does_not_have_is_named(good, name):
    strange = good[name][good[name].model == MODELS[0]].assign(model="yesterday's")
    good[name] = pd.concat([good[name], strange], ignore_index=True)
    assert f"{name}: unexpected row for yesterday's" in refused(alone(good, name))


def test_conditions_are_those_of_the_config(good):
    assert "conditions: no row for push" in refused(good, conditions=["baseline", "push"])
    good["conditions"]["condition"] = "yesterday's"
    message = refused(good)
    assert "conditions: no row for baseline" in message
    assert "conditions: unexpected row for yesterday's" in message


def test_a_text_may_be_missing_only_where_its_column_says_so(good):
    good["prompts_read"]["kind"] = None
    check(good, **ASKED)
    good["prompts_read"].loc[1, "text"] = None
    assert "prompts_read: text" in refused(good)


def test_a_model_without_hypotheses_is_named(good):
    rows = good["hypotheses"]
    good["hypotheses"] = rows[(rows.model != MODELS[1]) | (rows.variant != "whole")].reset_index(drop=True)
    assert f"hypotheses: no row for {MODELS[1]} / baseline / whole" in refused(good)


def test_gains_are_required_only_if_they_were_asked_for(good):
    del good["gains"], good["hypotheses"]
    check(good, **(ASKED | {"metrics": METRICS}))


def test_a_model_that_is_missing_everywhere_is_named(good):
    assert "scores: no row for another / baseline / factual / ec" in refused(good, models=[*MODELS[:4], "another"])


def test_the_failures_of_all_tables_are_reported_together(good):
    good["scores"].loc[0, "value"] = np.nan
    good["layers"].loc[0, "value"] = np.nan
    message = refused(good)
    assert "scores: value" in message
    assert "layers: value" in message


def test_a_long_list_of_failures_is_cut(good):
    many = refused(good, models=[f"absent{i}" for i in range(9)])
    assert len(many.splitlines()) == 22
    assert many.splitlines()[-1].strip().startswith("and ")


def test_only_isf_needs_no_prompts_and_no_layers(good):
    for name in ("prompts", "layers"):
        good[name] = good[name].iloc[:0]
    for name in ("scores", "scores_normalized"):
        good[name] = good[name][good[name].metric == "isf"].reset_index(drop=True)
    check(good, **(ASKED | {"metrics": ["isf"]}))


def test_a_large_run_is_checked_in_seconds():
    n = 2_000
    names = [f"factual_{i:02d}" for i in range(1, n + 1)]
    tables = conformed(make_tables(n_models=1, n_prompts=n, n_layers=2, flawed=False))
    asked = {"models": MODELS[:1], "prompts": {"factual": names}}
    check(tables, **(ASKED | asked))
