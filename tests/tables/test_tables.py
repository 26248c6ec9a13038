"""The tables' contract: exactly these columns and types, alike in CSV and Parquet, with units in the file."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from internal_physics.families.registry import TABLES
from internal_physics.ground.errors import StoreError
from internal_physics.tables.conform import conform
from internal_physics.tables.read import read_table, read_table_csv
from internal_physics.tables.rows import read_metrics, write_rows
from internal_physics.tables.write import write_table
from made_up_jacobians import make_jacobians
from made_up_kernels import make_kernels
from made_up_training import make_training, make_training_kernels
from routed_traces import make_routing
from synthetic_decided import make_decided
from synthetic_tables import make_tables
from synthetic_weights import make_weight_tables, with_pulls


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    weights = with_pulls(make_weight_tables(n_models=2, n_prompts=2, n_layers=5))
    kernels = make_kernels(tmp_path_factory.mktemp("kernels"))
    others = make_decided() | make_routing() | make_jacobians()
    others |= {"training": make_training(), "training_kernels": make_training_kernels()}
    return make_tables(n_prompts=5, n_layers=3) | others | kernels | weights


@pytest.fixture(params=TABLES)
def name(request):
    return request.param


def written(table, name, folder):
    write_table(table, TABLES[name], csv=folder / "t.csv", parquet=folder / "t.parquet")
    return folder / "t.csv", folder / "t.parquet"


def test_parquet_reads_back_the_same_table(tables, name, tmp_path):
    _, parquet = written(tables[name], name, tmp_path)
    pd.testing.assert_frame_equal(read_table(parquet, TABLES[name]), conform(tables[name], TABLES[name]))


def test_csv_holds_the_same_numbers_to_the_last_bit(tables, name, tmp_path):
    csv, parquet = written(tables[name], name, tmp_path)
    from_csv, from_parquet = read_table_csv(csv, TABLES[name]), read_table(parquet, TABLES[name])
    pd.testing.assert_frame_equal(from_csv, from_parquet, check_exact=True)


def test_columns_are_in_the_order_of_the_description(tables, name, tmp_path):
    shuffled = tables[name][sorted(tables[name])].assign(other_index=1).drop(columns="other_index")
    csv, parquet = written(shuffled, name, tmp_path)
    assert list(pd.read_csv(csv)) == pq.read_schema(parquet).names == list(TABLES[name].columns)


def test_every_column_carries_its_unit_and_meaning(tables, name, tmp_path):
    _, parquet = written(tables[name], name, tmp_path)
    for field in pq.read_schema(parquet):
        spec = TABLES[name].columns[field.name]
        assert field.metadata[b"unit"].decode() == spec.unit
        assert field.metadata[b"meaning"].decode() == spec.meaning != ""


def test_writing_twice_gives_the_same_bytes(tables, name, tmp_path):
    contents = []
    for _ in range(2):
        contents.append([path.read_bytes() for path in written(tables[name], name, tmp_path)])
    assert contents[0] == contents[1]


def test_every_table_has_a_status_and_no_number_without_unit():
    for table in TABLES.values():
        columns = table.columns
        assert list(columns)[-1] == "status"
        assert all(spec.unit or spec.dtype != "float64" for spec in columns.values())


def test_the_given_table_is_not_changed(tables, name, tmp_path):
    before = tables[name].copy()
    written(tables[name], name, tmp_path)
    pd.testing.assert_frame_equal(tables[name], before)


def test_values_that_are_not_finite_are_kept(tmp_path):
    table = pd.DataFrame(
        {
            "model": "m",
            "condition": "baseline",
            "prompt_set": "s",
            "rank": [1, 2, 3],
            "eigenvalue": [np.nan, np.inf, -np.inf],
            "fitted": 0.0,
            "status": "why",
        }
    )
    csv, parquet = written(table, "isf_spectra", tmp_path)
    for found in (read_table(parquet, TABLES["isf_spectra"]), read_table_csv(csv, TABLES["isf_spectra"])):
        np.testing.assert_array_equal(found.eigenvalue, table.eigenvalue)


def test_an_empty_table_keeps_its_columns_and_types(name, tmp_path):
    _, parquet = written(pd.DataFrame(columns=list(TABLES[name].columns)), name, tmp_path)
    found = read_table(parquet, TABLES[name])
    assert len(found) == 0
    assert {c: str(t) for c, t in found.dtypes.items()} == TABLES[name].types


def test_missing_and_unknown_columns_are_named(tables):
    wrong = tables["scores"].rename(columns={"value": "valeu"})
    with pytest.raises(StoreError) as error:
        conform(wrong, TABLES["scores"])
    assert error.value.what == "table scores: missing columns ['value'], unknown columns ['valeu']"
    assert error.value.expected == ", ".join(TABLES["scores"].columns)


def test_a_wrong_table_is_not_written(tables, tmp_path):
    with pytest.raises(StoreError):
        written(tables["scores"], "layers", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("harm", ["missing", "truncated", "foreign"])
def test_a_file_that_cannot_be_read_is_named(tables, tmp_path, harm):
    _, parquet = written(tables["scores"], "scores", tmp_path)
    if harm == "missing":
        parquet.unlink()
    else:
        parquet.write_bytes({"truncated": parquet.read_bytes()[:-20], "foreign": b"model,value\n"}[harm])
    for read in (lambda: read_table(parquet, TABLES["scores"]), lambda: read_metrics([str(parquet)])):
        with pytest.raises(StoreError, match="cannot be read") as error:
            read()
        assert error.value.where == str(parquet)
        assert error.value.todo == "delete it and run again"


def test_metric_rows_get_their_metric_from_their_folder(tmp_path):
    rows = pd.DataFrame({"quantity": ["x"], "value": [1.0]})
    paths = [tmp_path / "metrics" / metric / "model" / "baseline.parquet" for metric in ("isf", "ec")]
    for path in paths:
        path.parent.mkdir(parents=True)
        write_rows(rows, path)
    found = read_metrics([str(path) for path in paths])
    assert found.metric.tolist() == ["isf", "ec"]
    assert found.value.tolist() == [1.0, 1.0]


def test_a_broken_number_in_a_column_of_whole_numbers_is_refused():
    spectra = pd.DataFrame([["m", "baseline", "s", 1.5, 1.0, 1.0, "ok"]], columns=list(TABLES["isf_spectra"].columns))
    with pytest.raises(StoreError, match="column rank holds broken numbers"):
        conform(spectra, TABLES["isf_spectra"])
    assert conform(spectra.assign(rank=2.0), TABLES["isf_spectra"])["rank"].tolist() == [2]


def test_a_number_changed_on_disk_is_refused(tables, tmp_path):
    _, parquet = written(tables["scores"], "scores", tmp_path)
    content, column = bytearray(parquet.read_bytes()), pq.read_metadata(parquet).row_group(0).column(4)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    parquet.write_bytes(content)
    with pytest.raises(StoreError, match=r"t\.parquet: cannot be read"):
        read_table(parquet, TABLES["scores"])


def test_a_file_of_other_columns_is_named(tables, tmp_path):
    _, parquet = written(tables["scores"], "scores", tmp_path)
    with pytest.raises(StoreError, match=r"t\.parquet: table gains: missing columns"):
        read_table(parquet, TABLES["gains"])
