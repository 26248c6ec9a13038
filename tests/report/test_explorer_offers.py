"""What the explorer shows of a table follows from the table's description alone."""

import pytest
from internal_physics.families.registry import TABLES
from internal_physics.report.explorer import offers
from internal_physics.tables.columns import OF_PROMPT, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Quantity, Table

WORDS = offers.Words({"ec": "Conservation"}, {"ec": "gradient_flow"})
LAYER = Column("int64", "block", "block 0..L-1")
WIDE = Table(
    "new_numbers",
    columns=OF_PROMPT
    | {
        "parameter": Column(TEXT, "", "the weight"),
        "layer": LAYER,
        "kind": Column(TEXT, "", "kind of map"),
        "heat": Column("float64", "weight / nat", "how hot it is"),
        "ec": Column("float64", "1", "change of the gradient"),
        "is_warm": Column("boolean", "", "whether it is warm"),
        "slope": Column("float64", "1", "its slope"),
        "slope_status": STATUS,
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "parameter"],
    finite_under={"slope_status": ("slope",)},
)
LONG = Table(
    "new_long",
    columns=OF_PROMPT
    | {"layer": LAYER, "quantity": STATUS, "token": STATUS, "value": Column("float64", "", ""), "status": STATUS},
    key=[*PROMPT_KEY, "layer", "quantity", "token"],
    quantities=(
        Quantity("heat_nats", label="heat $h_l$", unit="nats", may_be_log=True, metric="ec"),
        Quantity("pull_", label="pull", is_prefix=True),
    ),
)


def test_tables_of_prompts_are_shown_and_means_and_ranked_lists_are_not():
    shown = {name for name, table in TABLES.items() if offers.is_shown(table)}
    assert {"prompts", "layers", "information", "thermodynamics", "gains", "decided", "agreement"} <= shown
    assert shown.isdisjoint({"scores", "agreement_means", "predictions", "pulls", "spectra", "models", "prompts_read"})


def test_every_number_of_a_wide_table_is_offered_with_unit_and_meaning():
    found = {
        offer.name: offer for offer in offers.offers_of(WIDE, ["heat", "ec", "is_warm", "slope"], "weights", WORDS)
    }
    assert list(found) == ["heat", "ec", "is_warm", "slope"]
    assert (found["heat"].unit, found["heat"].meaning, found["heat"].family) == (
        "weight / nat",
        "how hot it is",
        "weights",
    )
    assert (found["ec"].label, found["ec"].unit) == ("Conservation (EC)", "dimensionless")
    assert found["ec"].family == "gradient_flow"  # of the metric, not of the table
    assert offers.part_columns(WIDE) == ["kind"]  # not every weight by its name
    assert [offers.status_of(WIDE, name) for name in ("heat", "slope")] == ["status", "slope_status"]


def test_quantities_of_a_long_table_are_described_by_name_or_prefix():
    found = list(offers.offers_of(LONG, ["heat_nats", "pull_a", "pull_b", "unheard_of"], "own", WORDS))
    assert [offer.label for offer in found] == ["heat hₗ", "pull a", "pull b", "unheard of"]  # "pull" would say less
    assert [offer.unit for offer in found] == ["nats", "dimensionless", "dimensionless", "dimensionless"]
    assert [offer.family for offer in found] == ["gradient_flow", "own", "own", "own"]
    assert [offer.may_be_log for offer in found] == [True, False, False, False]
    assert offers.part_columns(LONG) == ["token"]


@pytest.mark.parametrize(("name", "words"), [("entropy_nats", "entropy"), ("n_tokens", "number of tokens")])
def test_a_name_of_a_column_becomes_words(name, words):
    assert offers.plain_name(name) == words
