"""The snapshots that a training leaves behind: folders named after the step."""

from pathlib import Path


def snapshots_in(steps: str | Path) -> dict[int, str]:
    """Step → folder, in the order of the steps."""
    found = sorted(int(path.name) for path in Path(steps).iterdir() if path.name.isdigit())
    return {step: str(Path(steps) / str(step)) for step in found}
