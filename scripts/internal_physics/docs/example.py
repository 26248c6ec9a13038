"""The example family of docs/extend.md: which files each step touches, and how they get into a repository."""

from collections.abc import Callable
from pathlib import Path

from internal_physics.docs.code import without_sections
from internal_physics.docs.markdown import codes

FOLDER = "docs/example_family/drift"
FAMILIES = "scripts/internal_physics/families"
REGISTRY = f"{FAMILIES}/registry.py"
STEPS = {  # files that a person writes or edits; those without a folder are in the family's room
    "metric": ("drift.py", "family.py", "words.yaml", REGISTRY),
    "figure": ("figures/drift_profile.py", "family.py", "words.yaml"),
    "table": ("drift_turns.py", "family.py", "words.yaml"),
}
REGISTRY_EDITS = {  # old text -> new text
    "from internal_physics.families.family import": (
        "from internal_physics.families.drift.family import FAMILY as DRIFT\n"
        "from internal_physics.families.family import"
    ),
    "    TRAINING,\n)\n": "    TRAINING,\n    DRIFT,\n)\n",
}


def place(source: Path, repository: Path, step: str) -> list[Path]:
    """Write the files of one step into a repository that has the steps before it.

    Args:
        source: the repository that holds the example.
        repository: where the family is added.
        step: one of STEPS.

    Returns:
        The files that were written or edited.

    Raises:
        ValueError: if the registry does not look as expected.
    """
    later = list(STEPS)[list(STEPS).index(step) + 1 :]
    written = []
    for name in STEPS[step]:
        if name == REGISTRY:
            written.append(_register(repository))
            continue
        path = repository / FAMILIES / "drift" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (source / FOLDER / name).read_text(encoding="utf-8")
        path.write_text(without_sections(text, later), encoding="utf-8")
        written.append(path)
    return written


def makers() -> dict[str, Callable[..., str]]:
    """The makers of the page: the files of a step, and the lines in the registry."""
    return {"example-files": lambda step: codes(STEPS[step]), "example-registry": _registry_lines}


def _register(repository: Path) -> Path:
    path = repository / REGISTRY
    text = path.read_text(encoding="utf-8")
    for old, new in REGISTRY_EDITS.items():
        if text.count(old) != 1:
            raise ValueError(f"{REGISTRY} holds {old!r} {text.count(old)} times, not once")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def _registry_lines() -> str:
    first = REGISTRY_EDITS["from internal_physics.families.family import"].splitlines()[0]
    return f"```python\n{first}\n\nFAMILIES = (RUN, …, TRAINING, DRIFT)\n```\n"
