"""Checkpoints of a training: a model entry that lists some becomes one entry for each."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from internal_physics.ground.errors import ConfigError

_STEP = re.compile(r"(\d+)\D*$")
_WITH_REVISIONS = ("hf", "lab")


def with_checkpoints(models: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, dict[str, Any]]:
    """The models, each checkpoint as a model of its own: `{name}-{revision}`, with its step and its parent.

    Raises:
        ConfigError: for a source that has no revisions, a revision that tells no step, or a name that is taken.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, options in models.items():
        for own_name, entry in _entries(name, options, f"{where} → {name}"):
            if own_name in found or (own_name != name and own_name in models):
                raise ConfigError(f"two models are named {own_name}", where=where, todo="rename one")
            found[own_name] = entry
    return found


def _entries(name: str, options: Mapping[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    others = {key: value for key, value in options.items() if key != "checkpoints"}
    revisions = options.get("checkpoints")
    if not revisions:
        yield name, others
        return
    kind, _, rest = options["source"].partition(":")
    if kind not in _WITH_REVISIONS or "@" in rest:
        raise ConfigError(
            f"checkpoints of {options['source']}",
            where=f"{where} → checkpoints",
            expected="a source lab:arm/seed or hf:org/name, without a revision",
            todo="leave the revision out of `source`, or the checkpoints",
        )
    for revision in revisions:
        own = {"source": f"{kind}:{rest}@{revision}", "step": _step(revision, where), "parent": name}
        label = f"step{revision}" if isinstance(revision, int) else revision
        yield f"{name}-{label}", others | own


def _step(revision: int | str, where: str) -> int:
    """The number that a revision ends with: step1000 is 1000."""
    match = _STEP.search(str(revision))
    if match is None:
        raise ConfigError(
            f"the revision {revision!r} tells no step",
            where=f"{where} → checkpoints",
            expected="a number, or a name with one, such as step1000",
            todo="give it a model entry of its own, with `step` and `parent`",
        )
    return int(match[1])
