"""Whether a snapshot of the lab is a masked model."""

from internal_physics.models.lab_architecture.configuration import LabConfig


def is_masked(snapshot: str) -> bool:
    """Whether its tokens see later ones, so that it predicts hidden words and no next one."""
    return bool(LabConfig.from_pretrained(snapshot).reads_both_ways)
