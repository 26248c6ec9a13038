"""Where models come from: `pypi:name==version`, `hf:org/name@revision`, `path:folder-or-gguf`, `lab:arm/seed@step`.

No heavy imports.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from internal_physics.ground.errors import SourceError

_FORMS = {
    "pypi": (re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<revision>[A-Za-z0-9.+!]+)$"), "pypi:name==version"),
    "hf": (
        re.compile(r"^(?P<name>[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?)(@(?P<revision>[A-Za-z0-9._/-]+))?$"),
        "hf:org/name@revision",
    ),
    "path": (re.compile(r"^(?P<name>.+)$"), "path:folder"),
    "lab": (
        re.compile(r"^(?P<name>[A-Za-z0-9._-]+(/[0-9]+)?)(@(?P<revision>[0-9]+|last))?$"),
        "lab:arm/seed@step; without a seed it is 0, without a step the last",
    ),
}
KINDS = tuple(_FORMS)
LAST = "last"  # the revision of a lab model after all its training
LAB_ARMS = "results/lab/arms"
_USUAL_REVISION = {"hf": "main", "lab": LAST}


@dataclass(frozen=True)
class Source:
    """One model source; equal sources share one snapshot.

    Attributes:
        kind: pypi, hf, path or lab.
        name: package, hub repository, path, or arm and seed of the lab ("good/0").
        revision: version, git revision or training step; "" for a path, "main" where the hub's is not pinned, "last"
            for a model of the lab after all its training.
        file: the model inside a package: a .gguf file or a folder; "" for the whole.
        sha256: of that file, if the user pins it.
        allow_pickle, trust_remote_code: what the user allows by name for this model.
        adapter: the source of a LoRA adapter that is merged into the model; "" for none.
    """

    kind: str
    name: str
    revision: str = ""
    file: str = ""
    sha256: str = ""
    allow_pickle: bool = False
    trust_remote_code: bool = False
    adapter: str = ""

    @property
    def text(self) -> str:
        """As the config spells it."""
        joint = "==" if self.kind == "pypi" else "@"
        return f"{self.kind}:{self.name}{f'{joint}{self.revision}' if self.revision else ''}"

    @property
    def snapshot(self) -> str:
        """Folder name of the snapshot: readable, and unique to everything that decides its content."""
        given = asdict(self)
        if not self.adapter:
            del given["adapter"]  # names of snapshots from before this field stay the same
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:8]
        own = self.name if self.kind == "lab" else Path(self.name).name
        readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{own} {self.revision}").strip("-").lower()
        return f"{readable}-{digest}"

    @property
    def training(self) -> str:
        """Folder of the snapshots of the training that a lab model is of."""
        arm, _, seed = self.name.partition("/")
        return f"{LAB_ARMS}/{arm}/seed-{seed}/steps"


def parse_source(
    text: str,
    *,
    file: str = "",
    sha256: str = "",
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    adapter: str = "",
    where: str = "",
) -> Source:
    """Parse a source as written in the config.

    Raises:
        SourceError: with the forms that are understood, and `where`, the source's place in the config.
    """
    if adapter:
        _require_form_of_adapter(adapter, where)
    kind, _, rest = text.partition(":")
    if kind not in _FORMS:
        raise SourceError(
            f"unknown source {text!r}",
            where=where,
            expected="pypi:name==version, hf:org/name@revision, path:folder or lab:arm/seed@step",
        )
    pattern, form = _FORMS[kind]
    match = pattern.match(rest)
    if not match:
        raise SourceError(f"cannot read the source {text!r}", where=where, expected=form)
    revision = match.groupdict().get("revision") or _USUAL_REVISION.get(kind, "")
    name = f"{match['name']}/0" if kind == "lab" and "/" not in match["name"] else match["name"]
    return Source(kind, name, revision, file, sha256, allow_pickle, trust_remote_code, adapter)


def _require_form_of_adapter(text: str, where: str) -> None:
    if parse_source(text, where=where).kind == "pypi":
        raise SourceError(
            f"cannot read the adapter {text!r}", where=where, expected="path:folder or hf:org/name@revision"
        )
