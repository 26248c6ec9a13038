"""Command `show`: what each kind of file is, with units and meanings; damaged and unknown files are refused."""

import json

import internal_physics as ip
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml
from hand_traces import make_trace, with_prediction
from internal_physics.api.lab_tables import lab_tables
from internal_physics.api.show_record import kept
from internal_physics.cli import commands
from internal_physics.cli.layout import columns_of
from internal_physics.families.registry import TABLES
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import parse_source
from internal_physics.records.store import write_trace
from safetensors.numpy import save_file
from tiny_models import save_snapshot

ALL_TABLES = TABLES | {name: table for name, (table, _) in lab_tables().items()}
VALUES = {"int64": 3, "Int64": 3, "float64": 0.5, "bool": True, "boolean": True}


def shown(capsys, path):
    assert commands.main(["show", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def text_of(capsys, path):
    assert commands.main(["show", str(path)]) == 0
    text = capsys.readouterr().out
    assert max(columns_of(line) for line in text.splitlines()) <= 80
    return text


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return save_snapshot(tmp_path_factory.mktemp("show") / "llama", "llama_tied")


def rows_of(table):
    """A table of two rows with any values, as Arrow without metadata."""
    return pa.table({name: [VALUES.get(column.dtype, "ok")] * 2 for name, column in table.columns.items()})


def test_a_record_says_what_it_keeps_and_what_made_it(tmp_path, capsys):
    path = tmp_path / "p.parquet"
    write_trace(with_prediction(make_trace()), path)
    found = shown(capsys, path)
    assert (found["what"], found["facts"]["tokens"]) == ("record", 3)
    parts = {part["title"]: part["rows"] for part in found["parts"]}
    assert {row["quantity"]: row["tensors"] for row in parts["Tensors"] if row["where"] == "residual"} == {
        "activation": 3,
        "gradient": 3,
    }
    assert (found["provenance"]["model"], "numpy" in found["provenance"]) == ("m", True)
    assert "\nMost probable next tokens" in text_of(capsys, path)


@pytest.mark.parametrize("keep", ["factors", "norms", "sketch"])
def test_every_tensor_of_a_record_has_a_meaning(model_folder, keep):
    trace = ip.record(ip.load(str(model_folder)), "hello", weight_gradients=keep, logits=True)
    assert [row for row in kept(trace) if not row["meaning"]] == []
    assert sum(row["tensors"] for row in kept(trace)) == len(trace.tensors)


@pytest.mark.parametrize("name", ALL_TABLES)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_every_table_is_explained_with_units_and_meanings(tmp_path, capsys, name, ending):
    path = tmp_path / f"{name}.{ending}"
    if ending == "csv":
        pyarrow.csv.write_csv(rows_of(ALL_TABLES[name]), path)
    else:
        pq.write_table(rows_of(ALL_TABLES[name]), path)
    found = shown(capsys, path)
    assert (found["what"], found["n_rows"]) == (f"table {name}", 2)
    assert found["about"]
    described = {c["name"]: (c["unit"], c["meaning"]) for c in found["columns"]}
    assert described == {n: (c.unit, c.meaning) for n, c in ALL_TABLES[name].columns.items()}
    text_of(capsys, path)


def test_statuses_are_counted_and_a_missing_number_is_null(tmp_path, capsys):
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"x": [1.0, np.nan, 2.0], "status": ["ok", "not finite", "not finite"]}), path)
    found = shown(capsys, path)
    assert found["what"] == "Parquet table"
    assert found["preview"][1] == {"x": None, "status": "not finite"}
    (part,) = found["parts"]
    assert part["rows"] == [{"rows": 2, "status": "not finite"}, {"rows": 1, "status": "ok"}]


def test_rows_of_a_metric_are_recognised_by_their_folder(tmp_path, capsys):
    path = tmp_path / "metrics" / "ec" / "m" / "baseline.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"quantity": ["ec"], "value": [1.0], "rank": [1]}), path)
    (tmp_path / "run.yaml").write_text("models: {m: {source: 'path:x'}}\nprovenance: {created: '2026', python: '3'}\n")
    found = shown(capsys, path)
    assert found["what"] == "metric rows"
    assert all(column["meaning"] for column in found["columns"])
    assert found["provenance"] == {"run": "run.yaml", "created": "2026", "python": "3", "models": "m", "seed": 0}


def test_snapshots_and_model_folders_name_their_architecture(tmp_path, capsys, model_folder):
    fetch(parse_source(f"path:{model_folder}"), tmp_path / "snapshot")
    found = shown(capsys, tmp_path / "snapshot")
    assert found["what"] == "snapshot"
    assert found["facts"]["architectures"] == "LlamaForCausalLM"
    assert {"config.json", "model.safetensors"} <= {row["file"] for row in found["parts"][0]["rows"]}
    assert shown(capsys, model_folder)["what"] == "model folder"
    assert shown(capsys, model_folder / "model.safetensors")["facts"]["tensors"] > 20
    text_of(capsys, tmp_path / "snapshot")


def test_findings_configs_and_folders_of_results(tmp_path, capsys):
    (tmp_path / "tables").mkdir()
    (tmp_path / "findings.json").write_text('[{"sentence": "a differs from b.", "value": NaN, "n": 3}]')
    config = {"models": {"m": {"source": "path:x"}}, "prompt_sets": {"s": {"prompts": [1, 2]}, "t": {"file": "t.csv"}}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(config))
    findings = shown(capsys, tmp_path / "findings.json")
    assert findings["parts"][0]["rows"][0]["value"] is None
    assert "- a differs from b." in text_of(capsys, tmp_path / "findings.json")
    of_config = shown(capsys, tmp_path / "my.yaml")
    assert of_config["what"] == "config"
    assert [row["from"] for row in of_config["parts"][1]["rows"]] == ["2 prompts", "t.csv"]
    assert shown(capsys, tmp_path)["what"] == "run"


def test_directions_are_tensors(tmp_path, capsys):
    save_file({f"layer_{i}": np.ones((2, 3), np.float32) for i in range(20)}, tmp_path / "d.safetensors")
    found = shown(capsys, tmp_path / "d.safetensors")
    assert (found["facts"]["numbers"], found["parts"][0]["remark"]) == (120, "the first 12 of 20")
    assert found["parts"][0]["rows"][0]["shape"] == "2×3"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.parquet", None, "there is no such file or folder"),
        ("x.docx", b"x", "a file of an unknown kind"),
        ("x.parquet", b"PAR1 damaged", "not a complete Parquet file"),
        ("x.json", b"[{", "cannot be read as JSON"),
        ("x.json", b"{}", "this JSON file is of an unknown kind"),
        ("x.yaml", b"a: 1", "this YAML file is no config"),
        ("x.csv", b"\xff\xfe\x00", "cannot be read"),
        ("x.safetensors", b"abc", "x.safetensors"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, capsys, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert commands.main(["show", str(tmp_path / name)]) == commands.USER_ERROR
    err = capsys.readouterr().err
    assert message in err
    assert name in err
    assert "Traceback" not in err


def test_an_unknown_folder_is_refused(tmp_path, capsys):
    assert commands.main(["show", str(tmp_path)]) == commands.USER_ERROR
    assert "this folder is of an unknown kind" in capsys.readouterr().err
