"""Snapshots: a manifest that describes every file, holds no time, and exposes missing or truncated files."""

import hashlib
import json

import pytest
from internal_physics.errors import SourceError
from internal_physics.models.snapshot import MANIFEST, read_manifest, sha256_of, write_manifest
from internal_physics.models.sources import Source

SOURCE = Source("path", "somewhere")


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "snapshot")


def make_folder(path):
    (path / "sub").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(bytes(100))
    (path / "model-2.safetensors").write_bytes(bytes(20))
    (path / "sub" / "extra.txt").write_text("extra")
    return path


def test_the_manifest_holds_size_and_checksum_of_every_file(folder):
    manifest = write_manifest(folder, SOURCE, "rev")
    assert set(manifest.files) == {"config.json", "model.safetensors", "model-2.safetensors", "sub/extra.txt"}
    assert manifest.files["config.json"] == {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    assert manifest.weight_bytes == 120
    assert (manifest.source["name"], manifest.revision) == ("somewhere", "rev")


def test_what_is_written_reads_back(folder):
    assert write_manifest(folder, SOURCE, "rev") == read_manifest(folder)


def test_writing_again_describes_the_same_files(folder):
    assert write_manifest(folder, SOURCE, "rev") == write_manifest(folder, SOURCE, "rev")


def test_equal_folders_give_equal_manifests_to_the_byte(tmp_path):
    contents = []
    for name in ("one", "two"):
        write_manifest(make_folder(tmp_path / name), SOURCE, "rev")
        contents.append((tmp_path / name / MANIFEST).read_bytes())
    assert contents[0] == contents[1]


def test_a_checksum_of_a_file_longer_than_one_read(tmp_path):
    data = bytes(range(256)) * 20_000
    (tmp_path / "long").write_bytes(data)
    assert sha256_of(tmp_path / "long") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("missing", "ending"), [("config.json", "config.json"), ("*.safetensors", ".safetensors")])
def test_a_folder_that_is_no_model_is_refused(folder, missing, ending):
    for path in folder.glob(missing):
        path.unlink()
    with pytest.raises(SourceError) as error:
        write_manifest(folder, SOURCE, "rev")
    assert error.value.what == f"no {ending} in it"
    assert error.value.where == "path:somewhere"
    assert "safetensors weights" in error.value.expected


@pytest.mark.parametrize("harm", ["missing", "truncated", "longer"])
def test_a_file_that_is_not_whole_is_named(folder, harm):
    write_manifest(folder, SOURCE, "rev")
    weights = folder / "model.safetensors"
    if harm == "missing":
        weights.unlink()
    else:
        weights.write_bytes(bytes({"truncated": 99, "longer": 101}[harm]))
    with pytest.raises(SourceError, match=r"model\.safetensors is missing or truncated") as error:
        read_manifest(folder)
    assert error.value.where == str(folder)
    assert error.value.expected == "100 bytes"
    assert error.value.todo == "delete the folder and fetch again"


@pytest.mark.parametrize("content", [None, "", "{", "[]", json.dumps({"foreign": 1}), "null", "3"])
def test_a_folder_without_a_manifest_of_ours_is_no_snapshot(folder, content):
    if content is not None:
        (folder / MANIFEST).write_text(content)
    with pytest.raises(SourceError, match="this is no snapshot") as error:
        read_manifest(folder)
    assert error.value.where == str(folder)
    assert "`fetch` rule" in error.value.todo
