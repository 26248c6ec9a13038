"""Every causal and masked class that the installed transformers has."""

from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

_NAMES = {"causal": MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, "masked": MODEL_FOR_MASKED_LM_MAPPING_NAMES}


def all_classes() -> list[tuple[str, str]]:
    """(model type, task), in the order of their names; a type of another type's classes counts once."""
    found: dict[tuple[type, str], tuple[str, str]] = {}
    for task, names in _NAMES.items():
        for model_type in sorted(names):
            config = CONFIG_MAPPING[model_type]
            if config.model_type == model_type:
                found[config, task] = (model_type, task)
    return list(found.values())


def architecture_of(model_type: str, task: str) -> str:
    """Name of the class."""
    return _NAMES[task][model_type]
