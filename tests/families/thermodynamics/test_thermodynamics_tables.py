"""Tables of the weights: columns, the published CSV, scores and correlations that include them, and what the check
refuses."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.families import registry
from internal_physics.families.scores.collect import scores_table
from internal_physics.families.scores.normalize import normalize_scores
from internal_physics.families.thermodynamics.collect_thermodynamics import flagged_states, spectra_table
from internal_physics.families.thermodynamics.depth import DERIVED
from internal_physics.families.thermodynamics.family import FAMILY
from internal_physics.families.thermodynamics.flags import FLAGS
from internal_physics.families.thermodynamics.published import PUBLISHED_COLUMNS, published_rows
from internal_physics.families.thermodynamics.tables import SPECTRA, THERMODYNAMICS
from internal_physics.families.thermodynamics.thermodynamics import SCORES
from internal_physics.ground.errors import StoreError
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform
from internal_physics.tables.presence import Presence
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_table
from synthetic_weights import make_weight_tables, with_pulls

PUBLISHED = [
    *("name", "temperature", "entropy", "energy", "free_energy", "W_norm", "G_norm"),
    *("dE", "dT", "dG_norm", "dS", "dF", "specific_heat", "susceptibility", "compressibility"),
    *("latent_heat_jump", "neg_specific_heat", "suscept_divergent", "high_compress"),
]


@pytest.fixture(scope="module")
def made():
    return with_pulls(make_weight_tables(n_models=2, n_prompts=3, n_layers=12))


def test_every_table_of_the_weights_is_written_and_read(made, tmp_path):
    for table in FAMILY.tables:
        paths = {kind: tmp_path / f"{table.name}.{kind}" for kind in ("csv", "parquet")}
        write_table(made[table.name], table, **paths)
        pd.testing.assert_frame_equal(read_table(paths["parquet"], table), conform(made[table.name], table))
        assert list(pd.read_csv(paths["csv"]).columns) == list(table.columns)


def test_the_tables_describe_what_is_computed():
    assert tuple(THERMODYNAMICS.finite_under["derivative_status"]) == DERIVED
    assert set(FLAGS) <= set(THERMODYNAMICS.columns)


def test_the_published_csv_has_its_columns_in_its_order_and_its_rows_by_name(made, tmp_path):
    table = made["thermodynamics"][lambda t: t.model == "m0"]
    published_rows(table).to_csv(tmp_path / "m0.csv", index=False)
    found = pd.read_csv(tmp_path / "m0.csv")
    assert list(PUBLISHED_COLUMNS) == PUBLISHED
    assert list(found.columns) == [*PUBLISHED, "condition", "prompt_set", "prompt"]
    assert len(found) == len(table)
    for _, rows in found.groupby("prompt"):
        assert list(rows.name) == sorted(rows.name)
    layers = [int(name.split(".")[1]) for name in found[found.prompt == "p0"].name]
    assert layers.index(10) < layers.index(2)
    ends = found[found.specific_heat.isna()]
    assert len(ends) == 3 * 4  # both ends of both maps, on each prompt


def test_states_and_flags_that_do_not_belong_together_are_refused(made):
    states = made["states"]
    with pytest.raises(StoreError, match="do not belong"):
        flagged_states(states, made["flags"].iloc[::-1])


def test_the_spectra_table_says_shape_and_largest_value(made):
    row = spectra_table(made["weights"]["m0"]).iloc[0]
    assert row["shape"] == "40×30"
    assert row.largest_singular_value == made["weights"]["m0"].singular_values.iloc[0][0]


def metric_rows(quantity, values, metric="thermodynamics"):
    keys = {"condition": "baseline", "prompt_set": "s", "layer": None, "rank": None, "status": "ok", "metric": metric}
    return pd.DataFrame([
        {"model": f"m{i}", "prompt": f"p{j}", "quantity": quantity, "value": v, "n_tokens": 5, "loss_nats": 1.0, **keys}
        for i, of_model in enumerate(values)
        for j, v in enumerate(of_model)
    ])  # fmt: skip


def test_medians_join_the_scores_under_their_own_names():
    rows = pd.concat([
        metric_rows("temperature", [[1.0, 3.0], [5.0, 7.0]]),
        metric_rows("free_energy_query", [[-1.0, -3.0], [-5.0, -5.0]]),
        metric_rows("ec", [[0.1, 0.3], [0.2, 0.2]], metric="ec"),
    ])  # fmt: skip
    scores = scores_table(
        rows, registry.scored(["thermodynamics", "ec"]), seed=0, n_resamples=99, confidence_level=0.95
    ).set_index(["model", "metric"])
    assert scores.value["m0", "temperature"] == pytest.approx(2)
    assert scores.value["m1", "free_energy_query"] == pytest.approx(-5)
    assert scores.ci_low["m1", "free_energy_query"] == scores.ci_high["m1", "free_energy_query"] == -5
    assert scores.value["m0", "ec"] == pytest.approx(0.2)
    assert (scores.n_prompts == 2).all()
    normalized = normalize_scores(scores.reset_index(), metrics=["ec"])
    assert set(normalized.metric) == {"ec"}


def test_which_scores_a_metric_promises():
    assert registry.score_names(["ec", "residual_gain", "thermodynamics"]) == ["ec", *SCORES]


def test_valid_tables_pass_their_schema_and_their_own_check(made):
    for table in FAMILY.tables:
        assert table_problems(conform(made[table.name], table), table) == []


def test_a_derivative_that_is_missing_under_ok_is_named(made):
    table = made["thermodynamics"].copy()
    place = table.index[table.derivative_status == "ok"][0]
    table.loc[place, "compressibility"] = np.inf
    assert table_problems(conform(table, THERMODYNAMICS), THERMODYNAMICS) == [
        "compressibility: not finite in a row with derivative_status ok"
    ]


def test_a_weight_or_a_prompt_that_is_missing_is_named(made):
    runs, prompts = [("m0", "baseline", ["s"]), ("m7", "baseline", ["s"])], {"s": ["p0", "p9"]}
    presence = Presence(runs, ["thermodynamics"], prompts)
    table = made["thermodynamics"]
    gone = table[~((table.model == "m0") & (table.prompt == "p0") & (table.layer == 3))]
    parts = [presence.check(*each) for each in ((SPECTRA, made["spectra"]), (THERMODYNAMICS, gone))]
    problems = [*parts[1], *presence.finish(THERMODYNAMICS)]
    strange = [p for p in problems if "unexpected" in p]
    assert parts[0] == []
    assert "thermodynamics: unexpected row for m1 / baseline / s / p0" in strange
    assert len(strange) == 5
    assert [p for p in problems if p not in strange] == [
        "thermodynamics: 22 rows for m0 / baseline / s / p0, expected 24",
        "thermodynamics: 0 rows for m0 / baseline / s / p9, expected 24",
        "thermodynamics: 0 rows for m7 / baseline / s / p0, expected 0",
        "thermodynamics: 0 rows for m7 / baseline / s / p9, expected 0",
    ]
