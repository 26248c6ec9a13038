"""Tables in chunks: the same as in one, all or nothing, and read back in parts that lose no row."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hand_traces import make_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.families import registry
from internal_physics.families.gradient_flow.isf import rows as isf_rows
from internal_physics.families.gradient_flow.scores import ec_rows
from internal_physics.families.registry import TABLES
from internal_physics.families.scores.collect import collect, collect_files
from internal_physics.ground.errors import StoreError, UserError
from internal_physics.tables.check_tables import check_tables
from internal_physics.tables.chunks import (
    CsvWriter,
    RowsWriter,
    by_set,
    coalesce,
    prompt_sets_in,
    read_chunks,
    write_chunks,
    write_row_files,
)
from internal_physics.tables.conform import conform
from internal_physics.tables.gather import by_model
from internal_physics.tables.measure import per_prompt_chunks, per_prompt_table, per_set_table
from internal_physics.tables.preview import Preview, read_previews
from internal_physics.tables.read import TableBySet, read_table, table_parts
from internal_physics.tables.rows import count_rows, read_metrics, write_rows
from internal_physics.tables.units import chunks_with_units, with_units
from internal_physics.tables.write import write_table, write_tables
from read_prompts import prompts_read_of
from synthetic_tables import make_tables

SCORED = registry.scored(registry.METRICS)
UNITS = registry.score_units(registry.METRICS)
SETTINGS = {"seed": 0, "n_resamples": 99, "confidence_level": 0.95}


@pytest.fixture(scope="module")
def tables():
    return make_tables(n_models=3, n_prompts=6, n_layers=4, prompt_sets=("a", "b"))


def outputs(folder, *names):
    return {f"{name}_{kind}": folder / f"{name}.{kind}" for name in names for kind in ("csv", "parquet")}


def write_all(chunks, paths):
    """Write chunks of the tables that the paths name."""
    names = [key.removesuffix("_csv") for key in paths if key.endswith("_csv")]
    write_tables(chunks, paths, [TABLES[name] for name in names])


def cut(table, *places):
    edges = [0, *places, len(table)]
    return [table.iloc[start:stop] for start, stop in pairwise(edges)]


class TestWriting:
    @pytest.mark.parametrize("name", ["layers", "gains", "comparisons", "prompts"])
    def test_chunks_give_the_same_table_as_the_whole(self, tables, name, tmp_path):
        write_table(tables[name], TABLES[name], csv=tmp_path / "whole.csv", parquet=tmp_path / "whole.parquet")
        write_all(((name, chunk) for chunk in cut(tables[name], 1, 2)), outputs(tmp_path, name))
        assert (tmp_path / f"{name}.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
        whole, chunks = (read_table(tmp_path / f"{stem}.parquet", TABLES[name]) for stem in ("whole", name))
        pd.testing.assert_frame_equal(chunks, whole)
        fields = [pq.read_schema(tmp_path / f"{stem}.parquet") for stem in ("whole", name)]
        assert fields[0].equals(fields[1], check_metadata=False)
        assert [f.metadata for f in fields[0]] == [f.metadata for f in fields[1]]

    def test_a_table_without_chunks_has_its_columns(self, tmp_path):
        write_all([], outputs(tmp_path, "layers"))
        assert len(read_table(tmp_path / "layers.parquet", TABLES["layers"])) == 0
        assert (tmp_path / "layers.csv").read_text() == ",".join(TABLES["layers"].columns) + "\n"

    def test_chunks_of_several_tables_may_alternate(self, tables, tmp_path):
        chunks = [
            (name, chunk) for at in (0, 1) for name in ("layers", "prompts") for chunk in [cut(tables[name], 5)[at]]
        ]
        write_all(chunks, outputs(tmp_path, "layers", "prompts"))
        for name in ("layers", "prompts"):
            pd.testing.assert_frame_equal(
                read_table(tmp_path / f"{name}.parquet", TABLES[name]), conform(tables[name], TABLES[name])
            )

    def test_twice_the_same_bytes(self, tables, tmp_path):
        found = []
        for folder in (tmp_path / "one", tmp_path / "two"):
            write_all((("layers", chunk) for chunk in cut(tables["layers"], 7)), outputs(folder, "layers"))
            found.append([path.read_bytes() for path in sorted(folder.iterdir())])
        assert found[0] == found[1]

    def test_a_failure_keeps_the_earlier_file_and_leaves_nothing_new(self, tables, tmp_path):
        (tmp_path / "layers.csv").write_text("before")

        def chunks():
            yield "layers", tables["layers"]
            yield "prompts", tables["prompts"]
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            write_all(chunks(), outputs(tmp_path, "layers", "prompts"))
        assert [path.name for path in tmp_path.iterdir()] == ["layers.csv"]
        assert (tmp_path / "layers.csv").read_text() == "before"

    def test_a_chunk_of_other_columns_is_refused_and_nothing_is_written(self, tables, tmp_path):
        with pytest.raises(StoreError, match="table layers"):
            write_all([("layers", tables["layers"]), ("layers", tables["prompts"])], outputs(tmp_path, "layers"))
        assert list(tmp_path.iterdir()) == []

    def test_rows_without_a_single_chunk_have_no_columns_and_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="nothing was written"):
            write_chunks([], tmp_path / "m.parquet")
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_first_chunk_still_sets_the_columns(self, tmp_path):
        rows = pd.DataFrame({"prompt_set": ["a", "b"], "value": [1.0, np.nan]})
        with RowsWriter(tmp_path / "m.parquet") as writer:
            writer.append(rows.iloc[:0])
            writer.append(rows)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "m.parquet"), rows)
        assert pq.read_metadata(tmp_path / "m.parquet").num_row_groups == 1

    def test_several_files_at_once(self, tmp_path):
        rows = pd.DataFrame({"x": [1, 2, 3]})
        write_row_files([("a", rows), ("b", rows), ("a", rows)], {"a": tmp_path / "a", "b": tmp_path / "b"})
        assert [len(pd.read_parquet(tmp_path / name)) for name in "ab"] == [6, 3]

    def test_csv_has_one_header(self, tmp_path):
        with CsvWriter(tmp_path / "x.csv") as writer:
            writer.append(pd.DataFrame({"x": [1]}))
            writer.append(pd.DataFrame({"x": [2]}))
        assert (tmp_path / "x.csv").read_text() == "x\n1\n2\n"


class TestPieces:
    @settings(max_examples=25)
    @given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.data())
    def test_by_set_keeps_every_row_in_order(self, names, data):
        table = pd.DataFrame({"prompt_set": sorted(names), "x": range(len(names))})
        places = sorted(data.draw(st.sets(st.integers(1, max(1, len(names) - 1)), max_size=4)))
        found = list(by_set(cut(table, *places)))
        assert [part.prompt_set.iat[0] for part in found] == sorted(set(names))
        pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), table)

    def test_merging_chunks_keeps_the_order_within_each_file(self):
        chunks = [("ab"[i % 2], pd.DataFrame({"x": [i]})) for i in range(10)]
        found = list(coalesce(chunks, n_rows=2))
        assert [len(chunk) for _, chunk in found] == [2, 2, 2, 2, 1, 1]
        assert [x for name, chunk in found if name == "a" for x in chunk.x] == [0, 2, 4, 6, 8]

    def test_a_prompt_is_never_split(self):
        traces = [make_trace(f"p{i}", seed=i) for i in range(5)]
        found = [chunk for _, chunk in per_prompt_chunks(traces, {"ec": ec_rows}, n_rows=4)]
        assert [chunk.prompt.unique().tolist() for chunk in found] == [["p0", "p1"], ["p2", "p3"], ["p4"]]
        pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), per_prompt_table(traces, ec_rows))

    def test_no_traces_give_an_empty_chunk_with_types(self):
        ((_, chunk),) = per_prompt_chunks([], {"ec": ec_rows})
        assert len(chunk) == 0
        assert chunk.dtypes["layer"] == "Int64"

    def test_a_damaged_file_is_named(self, tmp_path):
        (tmp_path / "m.parquet").write_bytes(b"PAR1 and no more")
        for read in (lambda path: list(read_chunks(path)), count_rows):
            with pytest.raises(StoreError, match=r"m\.parquet"):
                read(tmp_path / "m.parquet")


class TestCollecting:
    @pytest.fixture
    def files(self, tmp_path):
        paths = []
        for model in ("z", "a"):
            traces = []
            for i in range(8):
                trace = make_trace(f"p{i}", seed=i + ord(model))
                labels = {**trace.info.labels, "model": model, "condition": "baseline", "prompt_set": "st"[i // 4]}
                object.__setattr__(trace.info, "labels", labels)
                traces.append(trace)
            for metric, rows in {"ec": ec_rows, "isf": isf_rows}.items():
                path = tmp_path / "metrics" / metric / model / "baseline.parquet"
                if metric == "ec":
                    write_row_files(per_prompt_chunks(traces, {"ec": rows}, n_rows=5), {"ec": path})
                else:
                    write_rows(per_set_table(traces, rows), path)
                paths.append(str(path))
        return paths

    def test_reading_in_chunks_equals_reading_at_once(self, files, tmp_path):
        rows = read_metrics(files)
        prompts = prompts_read_of(rows, kind=None, answer="x")
        write_all([("prompts_read", prompts)], outputs(tmp_path, "prompts_read"))
        expected = collect(rows, prompts, SCORED, **SETTINGS)
        found = collect_files(files, tmp_path / "prompts_read.parquet", SCORED, **SETTINGS)
        write_all(chunks_with_units(found, "scores", UNITS), outputs(tmp_path, *expected))
        expected["scores"] = with_units(expected["scores"], UNITS)
        for name, table in expected.items():
            assert len(table) > 0
            found = read_table(tmp_path / f"{name}.parquet", TABLES[name])
            pd.testing.assert_frame_equal(found, conform(table, TABLES[name]), check_names=False)

    def test_files_go_by_model_in_the_order_given(self, files):
        assert by_model(files) == [files[:2], files[2:]]
        assert by_model(["m/x/push.parquet", "m/y/push.parquet", "m/x/pull.parquet"]) == [
            ["m/x/push.parquet", "m/x/pull.parquet"],
            ["m/y/push.parquet"],
        ]

    def test_prompt_sets_come_in_order(self, files):
        assert prompt_sets_in(files[:1]) == ["s", "t"]


class TestParts:
    @pytest.fixture
    def layers(self, tables, tmp_path):
        paths = outputs(tmp_path, "layers")
        write_all((("layers", chunk) for chunk in cut(tables["layers"], 50, 90)), paths)
        return paths["layers_parquet"]

    @pytest.mark.parametrize("n_rows", [0, 100, 10**6])
    def test_parts_hold_every_row_once_and_cut_no_group(self, layers, tables, n_rows):
        parts = list(table_parts(layers, TABLES["layers"], n_rows=n_rows))
        keys = ["model", "condition", "prompt_set"]
        groups = [set(part[keys].itertuples(index=False, name=None)) for part in parts]
        assert len(parts) == {0: 6, 100: len(parts), 10**6: 1}[n_rows]
        assert sum(map(len, groups)) == len(set().union(*groups)) == 6
        assert sum(map(len, parts)) == len(tables["layers"])

    def test_rows_without_a_group_are_an_error(self, layers, tmp_path):
        rows = pd.read_parquet(layers)
        rows.loc[3, "prompt_set"] = None
        rows.to_parquet(tmp_path / "holes.parquet")
        with pytest.raises(StoreError, match="1 rows have no value"):
            list(table_parts(tmp_path / "holes.parquet", TABLES["layers"], n_rows=1))

    def test_a_table_without_such_columns_is_one_part(self, tables, tmp_path):
        write_table(tables["correlations"], TABLES["correlations"], csv=tmp_path / "c.csv", parquet=tmp_path / "c")
        assert len(list(table_parts(tmp_path / "c", TABLES["correlations"], n_rows=1))) == 1

    def test_one_set_at_a_time(self, layers, tables):
        found = TableBySet(layers, TABLES["layers"], columns=["value"]).of_set("b")
        wanted = tables["layers"][tables["layers"]["prompt_set"] == "b"]
        assert list(found) == ["model", "condition", "prompt_set", "value"]
        np.testing.assert_array_equal(found.value, wanted.value)

    def test_row_groups_of_other_sets_are_not_read(self, layers):
        groups = pq.ParquetFile(layers).metadata
        column = pq.read_schema(layers).names.index("prompt_set")
        first = groups.row_group(0).column(column).statistics
        assert (first.min, first.max) == ("a", "a")

    def test_a_preview_has_the_head_and_all_that_is_flagged(self, layers, tables):
        found = read_previews({"layers": layers}, TABLES, (), 10)["layers"]
        expected = conform(tables["layers"], TABLES["layers"])
        pd.testing.assert_frame_equal(found.head, expected.head(10))
        assert found.n_rows == len(expected)
        flagged = expected[expected.status != "ok"]
        assert len(found.flagged) == len(flagged) > 0
        assert isinstance(read_previews({"layers": layers}, TABLES, ("layers",), 10)["layers"], pd.DataFrame)
        assert Preview.of(found) is found

    def test_prompts_are_counted_though_not_all_are_read(self, tables, tmp_path):
        write_all([("prompts", tables["prompts"])], outputs(tmp_path, "prompts"))
        found = read_previews({"prompts": tmp_path / "prompts.parquet"}, TABLES, (), 3)["prompts"]
        assert (len(found.head), found.n_rows, found.n_prompts) == (3, 36, 12)
        assert Preview.of(tables["prompts"]).n_prompts == 12


class TestChecking:
    def test_parts_are_checked_like_the_whole_table(self, tables):
        names = ("prompts", "layers", "scores", "scores_normalized", "isf_spectra", "correlations")
        whole = {name: conform(tables[name], TABLES[name]) for name in names}
        parts = {name: [group for _, group in t.groupby(["model", "prompt_set"], sort=False)] if "model" in t else [t]
                 for name, t in whole.items()}  # fmt: skip
        prompts = {s: [f"{s}_{i:02d}" for i in range(1, 7)] for s in "ab"}
        asked = {"tables": TABLES, "metrics": ["ec", "isc", "isg", "isa", "isf"], "prompts": prompts}
        runs = [(model, "baseline", ["a", "b"]) for model in tables["scores"].model.unique()]
        assert check_tables(parts, **asked, runs=runs) == check_tables(whole, **asked, runs=runs)
        messages = []
        for found in (whole, parts):
            with pytest.raises(UserError) as error:
                check_tables(found, **asked, runs=[*runs, ("gone", "baseline", ["a"])])
            messages.append(str(error.value))
        assert messages[0] == messages[1]
        assert "no row for gone / baseline / a" in messages[0]
