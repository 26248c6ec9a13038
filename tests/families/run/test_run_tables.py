"""The tables models, prompts_read and conditions: a run described by its records, snapshots and config."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_traces import N_LAYERS, PRECISION, WIDTH, make_trace
from internal_physics.families.run.conditions import conditions_table, in_words
from internal_physics.families.run.notes import of_prompts
from internal_physics.families.run.prompts_read import prompts_read
from internal_physics.families.run.ran import precision_by_model
from internal_physics.families.run.run_tables import model_row, run_tables, weights_sha256
from internal_physics.families.run.tables import CONDITIONS, MODELS, PROMPTS_READ
from internal_physics.ground.errors import StoreError
from internal_physics.models.coverage import EVERYTHING, NOT_COVERED
from internal_physics.models.snapshot import read_manifest, write_manifest
from internal_physics.models.sources import Source
from internal_physics.records.store import write_trace
from internal_physics.records.trace import Trace
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform
from internal_physics.tables.rows import write_rows
from internal_physics.tables.write import write_table
from safetensors.numpy import save_file

OPTIONS = {"source": "path:here", "task": "causal", "step": None, "parent": None}
NO_NOTE = {"kind": "", "difficulty": "", "answer": None}
NOTES = {"s": {"a": NO_NOTE | {"kind": "factual"}, "b": NO_NOTE}}
RUNS = [("m", "baseline", ("s",)), ("m", "push", ("s",)), ("n", "baseline", ("t",))]


@pytest.fixture
def snapshot(tmp_path):
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "special_tokens_map.json").write_text('{"bos_token": "a"}')
    shards = {"model-1.safetensors": {"w": (3, 4), "b": (5,)}, "model-2.safetensors": {"v": (2, 2)}}
    for name, shapes in shards.items():
        save_file({tensor: np.zeros(shape, np.float32) for tensor, shape in shapes.items()}, folder / name)
    index = {tensor: name for name, shapes in shards.items() for tensor in shapes}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    write_manifest(folder, Source("path", "here"), "commit")
    return folder


@pytest.fixture
def records(tmp_path):
    paths = []
    for prompt in "ab":
        trace = make_trace(prompt)
        info = replace(trace.info, tokens=("a", "▁b", "\n"))
        write_trace(Trace(info, trace.tensors), tmp_path / f"{prompt}.parquet")
        paths.append(tmp_path / f"{prompt}.parquet")
    return paths


@pytest.fixture
def tables(tmp_path, snapshot, records):
    write_rows(prompts_read(records, snapshot), tmp_path / "m.parquet")
    found = {}
    for name, chunk in run_tables(
        prompts=[str(tmp_path / "m.parquet")],
        snapshots=[str(snapshot)],
        models={"m": OPTIONS},
        notes=NOTES,
        conditions={"push": {"vector": [1.0], "scale": 2}},
        runs=RUNS,
    ):
        found.setdefault(name, []).append(chunk)
    return {t.name: conform(pd.concat(found[t.name]), t) for t in (MODELS, PROMPTS_READ, CONDITIONS)}


def test_the_tables_match_their_descriptions(tables):
    for table in (MODELS, PROMPTS_READ, CONDITIONS):
        assert len(tables[table.name]) > 0
        assert table_problems(tables[table.name], table) == []


def test_a_prompt_is_described_as_the_model_read_it(tables):
    read = tables["prompts_read"]
    assert read["prompt"].tolist() == ["a", "b"]
    assert set(read["text"]) == {"é\n text"}
    assert set(read["tokens"]) == {"⟨a⟩| b|\\n"}
    assert set(read["n_tokens"]) == {3}
    assert read["kind"].fillna("none").tolist() == ["factual", "none"]
    assert read[["difficulty", "answer"]].isna().all(axis=None)


def test_a_model_is_described_by_source_formats_and_size(tables, snapshot):
    (row,) = tables["models"].itertuples()
    assert (row.source, row.revision, row.dtype, row.task) == ("path:here", "commit", "float32", "causal")
    assert (row.n_blocks, row.width) == (N_LAYERS, WIDTH)
    assert row.stored_as == "F32"
    assert row.n_parameters == 3 * 4 + 5 + 2 * 2
    assert {name: getattr(row, name) for name in PRECISION} == PRECISION
    assert row.step is pd.NA
    assert pd.isna(row.parent)


def test_the_run_file_and_the_report_get_the_formats_from_the_records(tables, tmp_path):
    path = tmp_path / "models.parquet"
    write_table(tables["models"], MODELS, csv=tmp_path / "models.csv", parquet=path)
    assert precision_by_model(path) == {"m": {"stored_as": "F32", **PRECISION}}
    assert {type(value) for value in precision_by_model(path)["m"].values()} == {int, str}
    write_table(tables["models"].assign(stored_as=None), MODELS, csv=tmp_path / "models.csv", parquet=path)
    assert precision_by_model(path) == {"m": PRECISION}


def test_the_checksum_is_what_sha256sum_prints(tables, snapshot):
    printed = subprocess.check_output("sha256sum *.safetensors | sha256sum", shell=True, cwd=snapshot, text=True)
    assert tables["models"]["sha256"].item() == weights_sha256(read_manifest(snapshot)) == printed.split()[0]


def test_a_prompt_without_notes_in_the_config_is_an_error(tmp_path, snapshot, records):
    write_rows(prompts_read(records, snapshot), tmp_path / "m.parquet")
    asked = {"conditions": {}, "runs": [], "models": {"m": OPTIONS}, "snapshots": [str(snapshot)]}
    with pytest.raises(KeyError, match="b"):
        list(run_tables(prompts=[str(tmp_path / "m.parquet")], notes={"s": {"a": NO_NOTE}}, **asked))


class TestConditions:
    def test_the_baseline_comes_first_and_each_condition_names_its_models_and_sets(self, tables):
        found = tables["conditions"].set_index("condition")
        assert list(found.index) == ["baseline", "push"]
        assert found.loc["baseline", ["adds", "models", "prompt_sets"]].tolist() == ["nothing", "m, n", "s, t"]
        assert found.loc["push", ["adds", "models", "prompt_sets"]].tolist() == [
            *("the vector [1.0], repeated to the width", "m", "s")
        ]
        assert np.isnan(found.loc["baseline", "scale"])
        assert found.loc["push", "scale"] == 2

    @pytest.mark.parametrize(
        ("options", "adds", "layers"),
        [
            ({"vector": list(range(9))}, "the vector [0, 1, 2, 3, 4, 5, 6, 7] …, repeated to the width", "every block"),
            ({"file": "x.csv"}, "the direction in x.csv", "every layer that the file names"),
            ({"file": "x.pt", "layers": [3, 5]}, "the direction in x.pt", "layer 3, 5"),
            (
                {"vector": [1], "layers": {3: 1.0, 5: 0.5}, "tokens": [0, 1]},
                "the vector [1], repeated to the width, token weights [0, 1]",
                "layer 3 (weight 1), 5 (weight 0.5)",
            ),
            (
                {"contrast": {"positive": ["glad", "happy"], "negative": ["sad"], "method": "mean_difference"}},
                "the mean difference between “glad” (and 1 more) and “sad”",
                "every block",
            ),
        ],
    )
    def test_the_description_says_what_is_added_where_and_how_strongly(self, options, adds, layers):
        assert in_words(options) == {"adds": adds, "layers": layers, "scale": 1}

    def test_without_conditions_there_is_the_baseline(self):
        assert conditions_table({}, RUNS)["condition"].tolist() == ["baseline"]


class TestNotes:
    PROMPTS = pd.DataFrame({"model": "m", "prompt_set": "s", "prompt": ["a", "b"], "text": ["A", "B"]})

    def test_notes_come_in_the_order_and_with_the_index_of_the_rows(self):
        rows = pd.DataFrame({"model": "m", "prompt_set": "s", "prompt": ["b", "a", "b"]}, index=[7, 3, 5])
        found = of_prompts(rows, self.PROMPTS, ["text"])
        assert found["text"].to_dict() == {7: "B", 3: "A", 5: "B"}

    def test_an_unknown_prompt_is_named(self):
        rows = pd.DataFrame({"model": ["m"], "prompt_set": ["s"], "prompt": ["c"]})
        with pytest.raises(StoreError, match="m / s / c is not in table prompts_read"):
            of_prompts(rows, self.PROMPTS, ["text"])


def test_what_the_records_say_of_covered_weights_is_in_table_models(tmp_path, snapshot):
    labels = {"weights_covered_share": 0.75, "weights_not_covered": "layers.*.wonder.weight (2)"}
    trace = make_trace("a")
    info = replace(trace.info, labels={**trace.info.labels, **labels})
    write_trace(Trace(info, trace.tensors), tmp_path / "a.parquet")
    row = model_row("m", OPTIONS, snapshot, prompts_read([tmp_path / "a.parquet"], snapshot))
    assert {name: row[name] for name in labels} == labels


def test_a_model_that_is_covered_whole_names_no_weights(tmp_path, snapshot):
    trace = make_trace("a")
    info = replace(trace.info, labels={**trace.info.labels, **EVERYTHING.labels()})
    write_trace(Trace(info, trace.tensors), tmp_path / "a.parquet")
    assert model_row("m", OPTIONS, snapshot, prompts_read([tmp_path / "a.parquet"], snapshot))[NOT_COVERED] is None


def test_records_from_before_the_columns_of_coverage_leave_them_empty(tables):
    assert tables["models"][["weights_covered_share", "weights_not_covered"]].isna().all(axis=None)
