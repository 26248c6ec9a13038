"""Files that the workflow keeps: records, their listings, tables, manifests of snapshots. Damage is refused.

A record has a checksum for every page of numbers and one for its metadata, so damage is never read as other numbers. A
listing, a manifest and a table have no checksum of their text: a name that was changed in one is read as it is written.
"""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from damage import json_damaged, meaning_damaged
from fuzz_kinds import Kind
from hand_traces import make_trace
from hypothesis import strategies as st
from internal_physics.families.registry import TABLES
from internal_physics.models.snapshot import MANIFEST, read_manifest, write_manifest
from internal_physics.models.sources import parse_source
from internal_physics.records.listing import listed, write_listing
from internal_physics.records.store import read_trace, write_trace
from internal_physics.tables.read import read_table, read_table_csv
from internal_physics.tables.write import write_table
from synthetic_tables import make_tables

TRACE = make_trace()
TABLE = TABLES["scores"]
SCORES = make_tables(2, n_prompts=3, n_layers=2)["scores"]


def _make_record(folder):
    write_trace(TRACE, folder / "p.parquet")
    return folder / "p.parquet"


def _read_record(path):
    """Read everything; it must equal what was written, to the last bit."""
    trace = read_trace(path)
    assert trace.info == TRACE.info
    assert list(trace.tensors) == list(TRACE.tensors)
    for key, array in TRACE.tensors.items():
        np.testing.assert_array_equal(trace.tensors[key], array.astype(np.float32))


@st.composite
def _record_meaning(draw, content):
    """A whole Parquet file with other metadata, columns or types."""
    table = pq.read_table(pa.BufferReader(content))
    metadata = dict(table.schema.metadata)
    key = draw(st.sampled_from(sorted(metadata)))
    if draw(st.booleans()):
        try:
            metadata[key] = draw(json_damaged(json.loads(metadata[key])))
        except ValueError:  # the checksum
            metadata[key] = draw(st.binary(max_size=64))
    else:
        del metadata[key]
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, row_group_size=1)
    return sink.getvalue().to_pybytes()


def _make_listing(folder):
    records = [(f"results/tensors/m/baseline/s/{name}.parquet", f"{i:064x}") for i, name in enumerate(("a", "nan"))]
    write_listing(records, folder / "all.sha256")
    return folder / "all.sha256"


def _read_listing(path):
    records = listed(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{line[:64]}  {record}" for line, record in zip(lines, records, strict=True)] == lines
    assert all(set(line[:64]) <= set("0123456789abcdef") for line in lines)


def _make_manifest(folder):
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(range(100)))
    write_manifest(folder, parse_source("path:m"))
    return folder / MANIFEST


def _read_manifest(path):
    manifest = read_manifest(path.parent)
    assert manifest.weight_bytes == sum(100 for name in manifest.files if name.endswith(".safetensors"))
    assert isinstance(manifest.revision, str)
    assert isinstance(manifest.source["kind"] + manifest.source["name"], str)


def _json_meaning(content):
    return json_damaged(json.loads(content))


def _make_notes(folder):
    path = _make_manifest(folder)
    read_manifest(folder)
    return path.parent.with_name(f".{folder.name}.verified.json")


def _make_table(folder):
    write_table(SCORES, TABLE, csv=folder / "t.csv", parquet=folder / "t.parquet")
    return folder / "t.parquet"


def _plain(values):
    return ["" if value is None or value is pd.NA or str(value) == "nan" else value for value in values]


def _as_read(column, name):
    """The values of a column of another type, as text or as numbers."""
    kind = str if TABLE.types[name] == "str" else float
    return [None if value is None else kind(value) for value in column.to_pylist()]


def _read_table(path):
    found = read_table(path, TABLE)
    rewritten = pq.read_table(path)
    if b"rewritten" in (rewritten.schema.metadata or {}):
        for name in found:
            assert _plain(found[name].astype(object)) == _plain(_as_read(rewritten[name], name)), name
    else:  # damaged by bytes
        assert found.equals(read_table_csv(path.with_suffix(".csv"), TABLE))


@st.composite
def _table_meaning(draw, content):
    """A whole Parquet file whose columns have other names, order, number or types."""
    columns = draw(meaning_damaged(json.loads(SCORES.to_json(orient="split"))["columns"]))
    names = [str(name).encode(errors="replace").decode() for name in columns] if isinstance(columns, list) else ["x"]
    junk = st.sampled_from([pa.array([1.5]), pa.array(["x"]), pa.array([None]), pa.array([[1]]), pa.array([2**62])])
    rows = pq.read_table(pa.BufferReader(content)).slice(0, 1)
    values = [
        draw(junk) if name not in rows.column_names or draw(st.integers(0, 9)) == 0 else rows[name] for name in names
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(values, names=names).replace_schema_metadata({"rewritten": ""}), sink)
    return sink.getvalue().to_pybytes()


KINDS = (
    Kind("record", _make_record, _read_record, _record_meaning),
    Kind("listing", _make_listing, _read_listing, None),
    Kind("snapshot manifest", _make_manifest, _read_manifest, _json_meaning),
    Kind("table Parquet", _make_table, _read_table, _table_meaning),
)
