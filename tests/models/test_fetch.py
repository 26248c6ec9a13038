"""Fetching: a source becomes a verified snapshot, or a message says what is wrong with it and what to do."""

import json
import os

import pytest
from fetched import KEPT, WEIGHTS, names, refused
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import MANIFEST, read_manifest, sha256_of
from internal_physics.models.sources import parse_source


def path_source(folder, **options):
    return parse_source(f"path:{folder}", **options)


class TestPath:
    def test_the_files_of_a_model_are_taken_and_described(self, folder, snapshot):
        manifest = fetch(path_source(folder), snapshot)
        assert names(snapshot) == KEPT | {MANIFEST}
        assert set(manifest.files) == KEPT
        assert read_manifest(snapshot) == manifest
        assert manifest.revision == f"sha256:{sha256_of(folder / 'model.safetensors')}"

    def test_fetching_again_gives_the_same_bytes(self, folder, snapshot, tmp_path):
        fetch(path_source(folder), snapshot)
        fetch(path_source(folder), tmp_path / "again")
        assert (snapshot / MANIFEST).read_bytes() == (tmp_path / "again" / MANIFEST).read_bytes()

    def test_weights_are_linked_if_possible(self, folder, snapshot):
        fetch(path_source(folder), snapshot)
        assert os.path.samefile(folder / "model.safetensors", snapshot / "model.safetensors")

    def test_weights_are_copied_if_they_cannot_be_linked(self, folder, snapshot, monkeypatch):
        def no_link(*_):
            raise OSError("another file system")

        monkeypatch.setattr(os, "link", no_link)
        fetch(path_source(folder), snapshot)
        assert (snapshot / "model.safetensors").read_bytes() == WEIGHTS
        assert not os.path.samefile(folder / "model.safetensors", snapshot / "model.safetensors")

    def test_a_link_into_another_folder_is_followed(self, folder, snapshot, tmp_path):
        (folder / "model.safetensors").rename(tmp_path / "blob")
        (folder / "model.safetensors").symlink_to(tmp_path / "blob")
        fetch(path_source(folder), snapshot)
        assert not (snapshot / "model.safetensors").is_symlink()
        assert (snapshot / "model.safetensors").read_bytes() == WEIGHTS

    def test_a_snapshot_can_be_a_source_and_is_not_changed(self, folder, snapshot, tmp_path):
        first = fetch(path_source(folder), snapshot)
        before = (snapshot / MANIFEST).read_bytes()
        second = fetch(path_source(snapshot), tmp_path / "second")
        assert (snapshot / MANIFEST).read_bytes() == before
        assert second.files == first.files
        assert second.source["name"] == str(snapshot)

    def test_their_folder_stays_as_it_was(self, folder, snapshot):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        fetch(path_source(folder), snapshot)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_a_missing_path(self, snapshot):
        error = refused(parse_source("path:no/such/model"), snapshot)
        assert (error.where, error.what) == ("path:no/such/model", "there is no such file or folder")
        assert "check the path" in error.todo

    def test_a_home_folder_is_found(self, folder, snapshot, monkeypatch):
        monkeypatch.setenv("HOME", str(folder.parent))
        fetch(parse_source("path:~/theirs"), snapshot)
        assert names(snapshot) >= KEPT

    def test_a_folder_that_is_not_a_model(self, folder, snapshot):
        (folder / "config.json").unlink()
        error = refused(path_source(folder), snapshot)
        assert error.what == "no config.json in it"
        assert error.where == f"path:{folder}"
        assert "config.json, tokenizer, safetensors weights" in error.expected

    def test_a_gguf_file_is_converted(self, tmp_path, snapshot, monkeypatch):
        gguf = tmp_path / "model.gguf"
        gguf.write_bytes(b"GGUF")

        def convert(path, destination):
            assert path == gguf
            for name in ("config.json", "model.safetensors"):
                (destination / name).write_bytes(b"{}")

        monkeypatch.setattr("internal_physics.models.gguf.convert", convert)
        assert fetch(parse_source(f"path:{gguf}"), snapshot).revision == f"sha256:{sha256_of(gguf)}"


class TestChecksum:
    def test_the_right_one_in_any_letter_case(self, folder, snapshot):
        digest = sha256_of(folder / "model.safetensors")
        fetch(path_source(folder, sha256=digest.upper()), snapshot)

    def test_a_wrong_one_is_refused_with_what_was_found(self, folder, snapshot):
        error = refused(path_source(folder, sha256="0" * 64), snapshot)
        assert error.what == f"model.safetensors has sha256 {sha256_of(folder / 'model.safetensors')}"
        assert error.where == f"path:{folder}"
        assert error.expected == "0" * 64
        assert "do not use it" in error.todo

    def test_a_wrong_gguf_is_refused_before_it_is_read(self, tmp_path, snapshot, monkeypatch):
        gguf = tmp_path / "model.gguf"
        gguf.write_bytes(b"GGUF")
        monkeypatch.setattr("internal_physics.models.gguf.convert", lambda *_: pytest.fail("converted"))
        assert "model.gguf has sha256" in refused(parse_source(f"path:{gguf}", sha256="0" * 64), snapshot).what


class TestRemoteCode:
    def test_code_is_left_behind(self, folder, snapshot):
        fetch(path_source(folder), snapshot)
        assert not list(snapshot.glob("*.py"))
        assert (folder / "modeling_x.py").exists()

    def test_code_is_taken_if_it_is_trusted(self, folder, snapshot):
        manifest = fetch(path_source(folder, trust_remote_code=True), snapshot)
        assert manifest.files["modeling_x.py"]["sha256"] == sha256_of(folder / "modeling_x.py")


class Opens:
    """Code that an unsafe pickle runs when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


class TestPickledWeights:
    @pytest.fixture
    def pickled(self, folder):
        import torch

        (folder / "model.safetensors").unlink()
        torch.save({"a": torch.arange(6.0).reshape(2, 3)}, folder / "pytorch_model-00001-of-00002.bin")
        shared = torch.ones(2)
        torch.save({"b": shared, "c": shared}, folder / "pytorch_model-00002-of-00002.bin")
        return folder

    def test_they_are_refused(self, pickled, snapshot):
        error = refused(path_source(pickled), snapshot)
        assert error.what == ("its weights are pickled (pytorch_model-00001-of-00002.bin): loading them can run code")
        assert error.expected == "safetensors weights"
        assert "`allow_pickle: true`" in error.todo

    def test_they_are_converted_where_they_are_allowed(self, pickled, snapshot):
        from safetensors.torch import load_file

        manifest = fetch(path_source(pickled, allow_pickle=True), snapshot)
        found = load_file(snapshot / "model.safetensors")
        assert {name: tensor.tolist() for name, tensor in found.items()} == {
            "a": [[0, 1, 2], [3, 4, 5]],
            "b": [1, 1],
            "c": [1, 1],
        }
        assert not [name for name in manifest.files if name.endswith(".bin")]

    def test_a_pickle_that_would_run_code_is_refused_even_then(self, pickled, snapshot, tmp_path):
        import torch

        torch.save({"x": Opens(tmp_path / "ran")}, pickled / "pytorch_model-00001-of-00002.bin")
        error = refused(path_source(pickled, allow_pickle=True), snapshot)
        assert "its pickled weights are refused" in error.what
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ({"state_dict": {"a": 1}, "step": 3}, "holds a dict under 'state_dict', not a tensor"),
            ([1, 2], "holds a list, not tensors by their names"),
        ],
    )
    def test_the_state_of_a_training_is_refused(self, pickled, snapshot, content, said):
        import torch

        torch.save(content, pickled / "pytorch_model-00001-of-00002.bin")
        error = refused(path_source(pickled, allow_pickle=True), snapshot)
        assert error.what == f"its pickled weights are refused: pytorch_model-00001-of-00002.bin {said}"

    def test_a_truncated_pickle_is_refused(self, pickled, snapshot):
        file = pickled / "pytorch_model-00002-of-00002.bin"
        file.write_bytes(file.read_bytes()[:-60])
        error = refused(path_source(pickled, allow_pickle=True), snapshot)
        assert error.what.startswith("its pickled weights ")

    def test_a_whole_file_is_taken_and_shards_beside_it_are_not(self, pickled, snapshot):
        """As transformers does: shards of another model would be mixed with it."""
        import torch
        from safetensors.torch import load_file

        torch.save({"a": torch.ones(1)}, pickled / "pytorch_model.bin")
        fetch(path_source(pickled, allow_pickle=True), snapshot)
        assert list(load_file(snapshot / "model.safetensors")) == ["a"]

    def test_shards_are_those_that_the_index_lists(self, pickled, snapshot):
        import torch
        from safetensors.torch import load_file

        torch.save({"a": torch.zeros(2, 3)}, pickled / "pytorch_model-old.bin")
        listed = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
        index = pickled / "pytorch_model.bin.index.json"
        index.write_text(json.dumps({"weight_map": listed}))
        fetch(path_source(pickled, allow_pickle=True), snapshot)
        assert load_file(snapshot / "model.safetensors")["a"].sum() == 15
        index.write_text(json.dumps({"weight_map": listed | {"d": "pytorch_model-00003-of-00003.bin"}}))
        error = refused(path_source(pickled, allow_pickle=True), snapshot.with_name("other"))
        assert error.what.endswith("pytorch_model-00003-of-00003.bin is missing")

    def test_a_tensor_with_two_values_is_refused(self, pickled, snapshot):
        import torch

        torch.save({"a": torch.zeros(2, 3)}, pickled / "pytorch_model-old.bin")
        error = refused(path_source(pickled, allow_pickle=True), snapshot)
        assert error.what.endswith("pytorch_model-old.bin holds other values of a than a file before it")

    def test_files_that_are_no_weights_of_transformers_are_refused(self, pickled, snapshot):
        for path in pickled.glob("pytorch_model*"):
            path.unlink()
        (pickled / "consolidated.00.pth").write_bytes(b"")
        error = refused(path_source(pickled, allow_pickle=True), snapshot)
        assert "there is no pytorch_model*.bin" in error.what

    def test_no_weights_at_all(self, folder, snapshot):
        for name in ("model.safetensors", "training_args.bin"):
            (folder / name).unlink()
        error = refused(path_source(folder), snapshot)
        assert error.what == "it has no safetensors weights"
        assert error.where == f"path:{folder}"
