"""What an explorer page holds: the tables' numbers, and of every missing one the reason."""

import html
import json

import numpy as np
import pandas as pd
import pytest
from explorer_pages import OF_RUN, SETS, payload_of, unpacked, write_large_run, write_run
from hypothesis import given
from hypothesis import strategies as st
from internal_physics.families.registry import FAMILIES, FOLDER, TABLES
from internal_physics.report.explorer import series
from internal_physics.report.explorer.pack import Pack, rounded
from internal_physics.report.explorer.page import as_json, render_page
from internal_physics.report.explorer.payload import build_payload
from internal_physics.report.explorer.scores import describe_scores
from internal_physics.report.explorer.subjects import choose_subjects, target_in_words
from internal_physics.report.texts import gather_texts
from internal_physics.tables.columns import OF_PROMPT, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Table

TABLE = Table(
    "numbers",
    columns=OF_PROMPT
    | {
        "layer": Column("int64", "block", "block"),
        "kind": Column(TEXT, "", "kind"),
        "heat": Column("float64", "K", ""),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "layer", "kind"],
)


def rows_of(*rows):
    """Rows (prompt, layer, kind, heat, status) of one model and set."""
    frame = pd.DataFrame(rows, columns=["prompt", "layer", "kind", "heat", "status"])
    return frame.assign(model="m", condition="baseline", prompt_set="s")


def made(rows, prompts=("a", "b")):
    subjects = choose_subjects(rows_of(*((p, 0, "k", 0.0, "ok") for p in prompts)))
    statuses = series.Statuses()
    return list(series.SeriesMaker(TABLE, subjects, statuses).make(rows)), statuses.texts


class TestSeries:
    def test_numbers_stand_at_their_prompt_and_layer_and_each_gap_has_its_reason(self):
        (found,), texts = made(
            rows_of(
                ("a", 2, "k", 1.5, "ok"),
                ("a", 3, "k", np.nan, "the loss is not finite"),
                ("b", 3, "k", np.inf, "ok"),
                ("b", 4, "k", 2.5, "rounded"),
                ("stranger", 2, "k", 9.0, "ok"),
            )
        )
        assert (found.first_layer, found.part) == (2, {"kind": "k"})
        np.testing.assert_array_equal(found.values, np.float32([[1.5, np.nan, np.nan], [np.nan, np.nan, 2.5]]))
        told = [[texts[code] for code in line] for line in found.statuses]
        assert told == [["ok", "the loss is not finite", series.ABSENT], [series.ABSENT, series.NOT_SAID, "rounded"]]

    def test_a_number_of_one_layer_has_no_depth(self):
        (found,), _ = made(rows_of(("a", -1, "embedding", 1.0, "ok"), ("b", -1, "embedding", 2.0, "ok")))
        assert found.first_layer is None
        assert found.values.tolist() == [[1.0], [2.0]]

    def test_several_weights_of_one_kind_and_layer_are_averaged_and_counted(self):
        rows = rows_of(("a", 0, "expert", 1.0, "ok"), ("a", 0, "expert", 4.0, "ok"), ("a", 1, "expert", 2.0, "ok"))
        (found,), _ = made(rows)
        assert found.values[0].tolist() == [2.5, 2.0]
        assert found.n_merged == 2

    @pytest.mark.parametrize(
        ("value", "shown", "status"),
        [
            (1e300, np.nan, series.TOO_LARGE),
            (-1e300, np.nan, series.TOO_LARGE),
            (1e-300, 2.0**-126, series.TOO_SMALL),  # the smallest normal float32
            (-1e-300, -(2.0**-126), series.TOO_SMALL),
            (0.0, 0.0, "ok"),
        ],
    )
    def test_a_number_that_float32_cannot_hold_is_remarked_and_never_zero_or_infinite(self, value, shown, status):
        (found,), texts = made(rows_of(("a", 0, "k", value, "ok"), ("b", 0, "k", 1.0, "ok")))
        np.testing.assert_array_equal(rounded(found.values)[:, 0], np.float32([shown, 1.0]))
        assert [texts[code] for code in found.statuses[:, 0]] == [status, "ok"]


def test_a_target_is_named_with_its_token():
    assert target_in_words("loss", None) == "loss"
    assert target_in_words("log_probability", " Paris") == "log-probability of ' Paris'"
    assert target_in_words("logit", None) == "logit of one token"  # a record without a tokenizer


class TestPack:
    @given(st.lists(st.floats(width=32), min_size=1))
    def test_floats_keep_four_digits_and_stay_what_they_are_otherwise(self, values):
        given_, kept = np.float32(values), rounded(np.float32(values))
        finite = np.isfinite(given_)
        np.testing.assert_array_equal(kept[~finite], given_[~finite])
        normal = finite & (np.abs(given_) > 1e-37)  # subnormal floats have fewer digits
        np.testing.assert_allclose(kept[normal], given_[normal], rtol=2**-14, atol=0)
        assert ((kept == 0) <= (np.abs(given_) < 1e-37)).all()

    def test_arrays_are_found_again_at_their_places(self):
        pack = Pack()
        arrays = [np.float32([1.5, -2.25, np.nan]), np.uint16([0, 300]), np.uint8([7])]
        places = [pack.add(array) for array in arrays]
        payload = {"packed": pack.text()}
        for array, place in zip(arrays, places, strict=True):
            np.testing.assert_array_equal(unpacked(payload, place), array)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def payload(folder):
    return payload_of(folder)


class TestPayload:
    def test_every_number_is_that_of_its_table(self, payload, folder):
        layers = pd.read_parquet(folder / "layers.parquet")
        (offer,) = [offer for offer in payload["offers"] if offer["name"] == "gradient_norm"]
        (found,) = offer["series"]
        values = unpacked(payload, found["values"]).reshape(-1, found["n_layers"])
        subjects, checked = payload["subjects"], 0
        for number, (model, prompt) in enumerate(zip(subjects["model"], subjects["prompt"], strict=True)):
            described = payload["prompts"][prompt]
            rows = layers[
                (layers["quantity"] == "gradient_norm")
                & (layers["model"] == payload["models"][model])
                & (layers["prompt_set"] == payload["prompt_sets"][described["set"]])
                & (layers["prompt"] == described["name"])
            ].sort_values("layer")
            np.testing.assert_allclose(values[number, : len(rows)], rows["value"], rtol=2**-13)
            checked += len(rows)
        assert checked == (layers["quantity"] == "gradient_norm").sum()

    def test_quantities_are_listed_under_the_family_of_their_metric(self, payload):
        families = {offer["name"]: offer["family"] for offer in payload["offers"]}
        assert (families["ec"], families["gradient_norm"], families["loss_nats"]) == (
            "gradient_flow",
            "gradient_flow",
            "scores",
        )
        assert families["last_gain"] == "residual_gain"
        assert [family["name"] for family in payload["families"]] == [
            f.name for f in FAMILIES if f.name in families.values()
        ]

    def test_a_page_without_room_keeps_the_first_prompts_of_every_set_and_says_so(self, folder):
        paths, lenses = write_run(folder)
        options = {"lenses": lenses, "confidence_level": 0.95, "max_numbers": 4000}
        small = build_payload(paths, TABLES, FAMILIES, gather_texts(FAMILIES, FOLDER), **options)
        kept = {name: [p["name"] for p in small["prompts"] if p["set"] == i] for i, name in enumerate(SETS)}
        assert all(0 < len(names) < 5 for names in kept.values())
        assert all(names == [f"{name}_{i + 1:02d}" for i in range(len(names))] for name, names in kept.items())
        assert small["n_left_out"] == {name: 5 - len(names) for name, names in kept.items()}

    def test_it_is_json_that_no_text_can_end(self, payload):
        text = as_json(payload | {"evil": "</script><script>alert(1)</script>"})
        assert "<" not in text
        assert json.loads(text)["evil"].startswith("</script>")

    def test_a_score_that_is_not_finite_is_null(self):
        key = {"model": "m", "condition": "baseline", "prompt_set": "s", "metric": "ec"}
        numbers = {"value": np.inf, "ci_low": np.nan, "ci_high": 2.0}
        scores = pd.DataFrame([key | numbers | {"status": "not finite"}])
        normalized = pd.DataFrame([key | {"unit": "1", "score": np.nan, "n_prompts": 5, "status": "not finite"}])
        (row,) = describe_scores(scores, normalized, {}, {})["rows"]
        assert (row["score"], row["value"], row["low"], row["high"]) == (None, None, None, 2.0)

    def test_as_many_numbers_as_the_default_run_has_take_at_most_15_mb(self, tmp_path):
        paths, texts = write_large_run(tmp_path), gather_texts(FAMILIES, FOLDER)
        large = build_payload(paths, TABLES, FAMILIES, texts, confidence_level=0.95)
        n_numbers = sum(series["values"]["count"] for offer in large["offers"] for series in offer["series"])
        assert n_numbers > 2_276_000 + 3 * 168_000  # counted in a page of the default run: numbers, cells of lenses
        assert large["n_left_out"] == {}
        assert len(render_page(large).encode()) <= 15e6

    @pytest.mark.parametrize(
        ("targets", "sentence"),
        [
            (["loss"], "Gradients are those of the loss."),
            (["logit of ' a'"], "Gradients are those of the logit of ' a', not of the loss (record.target)."),
            (["logit of ' a'", "logit of ' b'"], "Gradients are those of the logit of one token"),
        ],
    )
    def test_the_page_names_what_gradients_are_of(self, payload, targets, sentence):
        page = render_page(payload | {"targets": targets})
        assert sentence in html.unescape(page)
        assert ("named beside each prompt" in page) == (len(targets) > 1)

    def test_a_run_without_lenses_and_pairs_has_a_page_too(self, folder):
        paths, _ = write_run(folder)
        few = {name: paths[name] for name in OF_RUN}
        small = build_payload(few, TABLES, FAMILIES, gather_texts(FAMILIES, FOLDER), confidence_level=0.95)
        assert {offer["table"] for offer in small["offers"]} == {"prompts"}
        assert (small["lens"]["grids"], small["squares"], small["maps"]) == ([], [], [])
        assert "Plotly" in render_page(small)
