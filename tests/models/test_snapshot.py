"""Snapshots: a manifest that describes every file, contains no time, and reveals missing or truncated files."""

import hashlib
import json
import os

import pytest
from internal_physics.ground.errors import SourceError, StoreError
from internal_physics.models import snapshot as snapshot_module
from internal_physics.models.snapshot import MANIFEST, note_verified, read_manifest, sha256_of, write_manifest
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


def test_a_written_manifest_reads_back(folder):
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
def test_a_folder_that_is_not_a_model_is_refused(folder, missing, ending):
    for path in folder.glob(missing):
        path.unlink()
    with pytest.raises(SourceError) as error:
        write_manifest(folder, SOURCE, "rev")
    assert error.value.what == f"no {ending} in it"
    assert error.value.where == "path:somewhere"
    assert "safetensors weights" in error.value.expected


@pytest.mark.parametrize("harm", ["missing", "truncated", "longer"])
def test_an_incomplete_file_is_named(folder, harm):
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


class TestChecksums:
    @pytest.fixture
    def weights(self, folder):
        write_manifest(folder, SOURCE, "rev")
        return folder / "model.safetensors"

    @pytest.fixture
    def hashed(self, monkeypatch):
        """Names of the files whose checksums are computed."""
        names = []

        def note(path):
            names.append(path.name)
            return sha256_of(path)

        monkeypatch.setattr(snapshot_module, "sha256_of", note)
        return names

    def test_a_changed_file_of_the_same_size_is_named_with_both_checksums(self, folder, weights):
        weights.write_bytes(bytes(99) + b"1")
        with pytest.raises(SourceError, match=r"model\.safetensors has changed") as error:
            read_manifest(folder)
        assert sha256_of(weights) in error.value.what
        assert error.value.expected == hashlib.sha256(bytes(100)).hexdigest()
        assert error.value.todo == "delete the folder and fetch again"

    def test_a_file_changed_after_its_verification_is_detected(self, folder, weights):
        read_manifest(folder)
        weights.write_bytes(bytes(99) + b"1")
        with pytest.raises(SourceError, match="has changed"):
            read_manifest(folder)

    def test_checksums_are_computed_once_and_again_for_touched_files(self, folder, weights, hashed):
        read_manifest(folder)
        assert sorted(hashed) == ["config.json", "extra.txt", "model-2.safetensors", "model.safetensors"]
        read_manifest(folder)
        assert len(hashed) == 4
        os.utime(weights)
        read_manifest(folder)
        assert hashed[4:] == ["model.safetensors"]

    def test_a_fetched_snapshot_counts_as_verified(self, folder, weights, hashed):
        note_verified(folder, write_manifest(folder, SOURCE, "rev"))
        hashed.clear()
        read_manifest(folder)
        assert hashed == []

    @pytest.mark.parametrize("notes", ["", "{", "[]", "3", '{"model.safetensors": 1}'])
    def test_invalid_verification_files_are_ignored(self, folder, weights, notes):
        folder.with_name(f".{folder.name}.verified.json").write_text(notes)
        assert read_manifest(folder).weight_bytes == 120

    def test_a_snapshot_in_a_read_only_folder_can_be_read(self, folder, weights, monkeypatch):
        def refuse(*_):
            raise StoreError("read-only")

        monkeypatch.setattr(snapshot_module, "write_text", refuse)
        assert read_manifest(folder).weight_bytes == 120


@pytest.mark.parametrize("content", [None, "", "{", "[]", json.dumps({"foreign": 1}), "null", "3"])
def test_a_folder_without_our_manifest_is_not_a_snapshot(folder, content):
    if content is not None:
        (folder / MANIFEST).write_text(content)
    with pytest.raises(SourceError, match="this is not a snapshot") as error:
        read_manifest(folder)
    assert error.value.where == str(folder)
    assert "`fetch` rule" in error.value.todo


@pytest.mark.parametrize(
    "changes",
    [
        {"files": None},
        {"files": {}},
        {"files": {"config.json": {"bytes": 2}}},
        {"files": {"config.json": {"bytes": "2", "sha256": ""}}},
        {"source": "path:m"},
        {"source": {"kind": "path"}},
        {"source": {"kind": "path", "name": True}},
        {"revision": {}},
        {"quantization": "nf4"},
        {"more": 1},
    ],
)
def test_a_manifest_with_other_content_is_refused(folder, changes):
    write_manifest(folder, SOURCE, "rev")
    raw = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(raw | changes))
    with pytest.raises(SourceError, match=r"this is not a snapshot: its snapshot\.json is missing or damaged") as error:
        read_manifest(folder)
    assert error.value.where == str(folder)
