"""`doctor`: what a run needs of a machine, checked one by one. No torch here: a process of its own asks it."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from internal_physics.api.shown import size_text
from internal_physics.ground.home import home

OK, NOTE, PROBLEM = "ok", "note", "problem"
PYTHON = (3, 11)
DISK_BYTES, MEMORY_BYTES = 5 * 10**9, 4 * 10**9  # that the default run needs at most, with room
HUB_TIMEOUT_S, PROBE_TIMEOUT_S = 4.0, 120.0
PROGRAM = "internal-physics"
_NAME = re.compile(r"^[A-Za-z0-9._-]+")
_FLOOR = re.compile(r">=\s*([0-9.]+)")
# Asks torch and bitsandbytes what they can do; each of them may fail by itself.
_PROBE = """\
import json
found = {}
try:
    import torch
    found["torch"] = torch.__version__
    found["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    import bitsandbytes
    layer = bitsandbytes.nn.Linear4bit(64, 64, quant_type="nf4", compute_dtype=torch.float32)
    layer = layer.to("cuda" if found["gpus"] else "cpu")
    x = torch.ones(2, 64, device=layer.weight.device, requires_grad=True)
    layer(x).sum().backward()
    found["nf4"] = bool(torch.isfinite(x.grad).all())
except Exception as error:
    found["error"] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Check:
    """One check: ok, a note (something that not every run needs), or a problem; what was found; what to do."""

    name: str
    status: str
    found: str
    todo: str = ""

    def to_dict(self) -> dict[str, str]:
        """As plain types."""
        return asdict(self)


def checks(*, ask_hub: bool = True) -> Iterator[Check]:
    """All checks, one after the other; the slow ones (torch, hub) last."""
    yield python_check(sys.version_info[:3])
    yield from package_checks()
    yield space_check("disk", shutil.disk_usage(Path.cwd()).free, DISK_BYTES)
    yield space_check("memory", psutil.virtual_memory().available, MEMORY_BYTES)
    yield from tool_checks()
    yield from torch_checks(probe())
    yield hub_check(os.environ, ask=ask_hub)


def python_check(version: tuple[int, ...]) -> Check:
    """Python's version."""
    text = ".".join(map(str, version))
    if version >= PYTHON:
        return Check("Python", OK, text)
    return Check("Python", PROBLEM, text, "install Python 3.11 or newer")


def package_checks() -> Iterator[Check]:
    """Required packages against their lowest versions, and all pinned ones against the lock."""
    required = requirements()
    missing = [name for name in required if version_of(name) is None]
    old = {n: v for n, floor in required.items() if (v := version_of(n)) and floor and _key(v) < _key(floor)}
    listed = [*missing, *(f"{name} {version}" for name, version in old.items())]
    if listed:
        todo = f"pip install --upgrade {' '.join([*missing, *old])}"
        yield Check("packages", PROBLEM, f"missing or too old: {', '.join(listed)}", todo)
    else:
        yield Check("packages", OK, f"all {len(required)} that the library needs")
    yield lock_check(pins(), {name: version_of(name) for name in pins()})


def lock_check(pinned: Mapping[str, str], installed: Mapping[str, str | None]) -> Check:
    """Installed packages beside the pins of the lock; those that are not installed are left out."""
    here = {name: version for name, version in installed.items() if version is not None}
    other = [f"{name} {v} (lock: {pinned[name]})" for name, v in here.items() if v.partition("+")[0] != pinned[name]]
    if not other:
        return Check("lock", OK, f"{len(here)} of {len(pinned)} pinned packages are here, in the pinned versions")
    todo = "results may differ in the last digits; pip install -r requirements.lock gives the tested versions"
    return Check("lock", NOTE, f"{len(other)} differ: {', '.join(other)}", todo)


def space_check(what: str, free: int, needed: int) -> Check:
    """Free bytes beside what the default run needs."""
    if free >= needed:
        return Check(what, OK, f"{size_text(free)} free")
    todo = f"the default run needs up to {size_text(needed)}; a smaller model or prompt set needs less"
    return Check(what, PROBLEM if free < needed / 10 else NOTE, f"{size_text(free)} free", todo)


def tool_checks() -> Iterator[Check]:
    """Programs: Snakemake for runs, make for a clone, SLURM for clusters."""
    if version := version_of("snakemake"):
        yield Check("Snakemake", OK, version)
    else:
        yield Check("Snakemake", NOTE, "not installed: `run` needs it", f"pip install '{PROGRAM}[workflow]'")
    absent = [name for name in ("make", "git") if shutil.which(name) is None]
    absent += [] if importlib.util.find_spec("ensurepip") else ["python3-venv"]
    todo = f"only a clone needs them: apt-get install {' '.join(absent)}" if absent else ""
    said = f"missing: {', '.join(absent)}" if absent else "make, git, venv"
    yield Check("system tools", NOTE if absent else OK, said, todo)
    yield slurm_check(shutil.which("sbatch"), version_of("snakemake-executor-plugin-slurm"))


def slurm_check(sbatch: str | None, plugin: str | None) -> Check:
    """SLURM and Snakemake's plugin for it; only clusters have them."""
    if sbatch is None:
        return Check("SLURM", NOTE, "not here; runs use this machine")
    if plugin is None:
        return Check("SLURM", NOTE, "here, without Snakemake's plugin", f"pip install '{PROGRAM}[slurm]'")
    return Check("SLURM", OK, f"here, plugin {plugin}; see docs/clusters.md")


def probe() -> dict[str, object]:
    """What torch and bitsandbytes say of themselves, asked in another process."""
    command = [sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return {"error": "torch does not start"}


def torch_checks(found: Mapping[str, object]) -> Iterator[Check]:
    """Torch, the GPUs that it sees, and whether 4-bit weights have gradients here."""
    if "torch" not in found:
        yield Check("torch", PROBLEM, str(found.get("error", "not installed")), "pip install torch")
        return
    gpus = found.get("gpus")
    named = ", ".join(map(str, gpus)) if isinstance(gpus, list) and gpus else ""
    yield Check("torch", OK, str(found["torch"]))
    no_gpu = "none that torch sees; the CPU computes the same, slower"
    yield Check("GPU", OK, named) if named else Check("GPU", NOTE, no_gpu)
    if found.get("nf4"):
        yield Check("bitsandbytes", OK, "4-bit weights work here, with gradients")
    else:
        said = str(found.get("error", "no finite gradient"))
        yield Check("bitsandbytes", NOTE, f"does not work here: {said}", "models with quantization need it")


def hub_check(environment: Mapping[str, str], *, ask: bool = True) -> Check:
    """Whether the model hub answers; runs with local models and packages do not need it."""
    if environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return Check("model hub", NOTE, "HF_HUB_OFFLINE is set: not asked", "unset it to fetch models of the hub")
    if not ask:
        return Check("model hub", NOTE, "not asked")
    address = environment.get("HF_ENDPOINT") or "https://huggingface.co"
    token = "with a token" if environment.get("HF_TOKEN") else "without a token: gated models need HF_TOKEN"
    try:
        request = urllib.request.Request(address, method="HEAD")
        urllib.request.urlopen(request, timeout=HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return Check("model hub", OK, f"answers, {token}")
    except (OSError, ValueError):
        todo = "local folders and files (path:…) work; on a cluster, run `make fetch` where there is a network"
        return Check("model hub", NOTE, f"does not answer within {HUB_TIMEOUT_S:.0f} s", todo)
    return Check("model hub", OK, f"answers, {token}")


def version_of(name: str) -> str | None:
    """The installed version of a package; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements() -> dict[str, str]:
    """Package → lowest version ("" for any) of what the library itself needs."""
    try:
        listed = importlib.metadata.requires(PROGRAM) or []
    except importlib.metadata.PackageNotFoundError:  # a clone, or a deployed folder
        project = home() / "pyproject.toml"
        text = project.read_text(encoding="utf-8") if project.is_file() else ""
        listed = tomllib.loads(text).get("project", {}).get("dependencies", [])
    found = {}
    for line in listed:
        name, floor = _NAME.match(line), _FLOOR.search(line)
        if name and "extra ==" not in line:
            found[name[0]] = floor[1] if floor else ""
    return found


def pins() -> dict[str, str]:
    """Package → version in requirements.lock."""
    lines = (home() / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("#")[0].strip().partition("==") for line in lines)
    return {name: version for name, sign, version in pairs if sign}


def _key(version: str) -> tuple[int, ...]:
    """A version as numbers; what is not a number ends it."""
    return tuple(int(part) for part in re.match(r"[0-9.]*", version)[0].split(".") if part)  # type: ignore[index]
