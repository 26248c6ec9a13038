"""Settings with which a model of an architecture that works is refused: the message names the setting.

docs/architectures.md lists them too. They are looked up only where the check of a model has failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedConfig

from internal_physics.ground.errors import ArchitectureError

# Model type → setting, the value from which it holds, and why the model is refused with it.
_REASONS: dict[str, tuple[str, int, str]] = {
    "deberta-v2": ("conv_kernel_size", 1, "a convolution changes the stream between block 0 and block 1"),
    "flaubert": ("pre_norm", 1, "transformers itself cannot run such a model"),
}


def reason_of(config: PreTrainedConfig) -> str:
    """Why a model with this config is refused, in words; "" where no setting of it is known for that."""
    setting, least, why = _REASONS.get(config.model_type, ("", 0, ""))
    value = getattr(config, setting, None) if setting else None
    return f"with {setting}: {value}, {why}" if value is not None and value >= least else ""


@contextmanager
def naming_setting(config: PreTrainedConfig, architecture: str) -> Iterator[None]:
    """Have the failure of a check name the setting that is known to be its cause.

    Raises:
        ArchitectureError: for a known setting; anything else is raised as it came.
    """
    try:
        yield
    except (ArchitectureError, TypeError) as error:
        reason = reason_of(config)
        if not reason:
            raise
        raise ArchitectureError(
            reason, where=architecture, expected=f"a model of type {config.model_type} without this setting"
        ) from error
