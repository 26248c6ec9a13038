"""Which class of transformers makes a language model of a checkpoint."""

from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForMaskedLM,
    PreTrainedConfig,
)

from internal_physics.ground.errors import SEE_ARCHITECTURES, ModelError
from internal_physics.models.lab_architecture import register  # noqa: F401  (makes lab models known)

HEADS: dict[str, Any] = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}


def head_for(task: str, snapshot: str | Path, *, trust_remote_code: bool = False) -> Any:
    """The class that loads a checkpoint.

    To transformers most vision-language models are no causal language models, although they are for prompts without
    images. Those have the class for images and text.

    Args:
        task: causal or masked.
        snapshot: folder with its config.json.
        trust_remote_code: whether code that comes with the model may run; such a model has classes of its own.

    Raises:
        ModelError: for a vision-language model that reads a prompt in both directions.
    """
    if task != "causal" or trust_remote_code:
        return HEADS[task]
    config = AutoConfig.from_pretrained(str(snapshot))
    if not _is_for_images_and_text(config):
        return HEADS[task]
    if getattr(config.get_text_config(), "use_bidirectional_attention", None) is True:
        raise ModelError(
            f"a {config.model_type} reads its prompt in both directions, so it has no next-token loss on one",
            where=str(snapshot),
            expected="a model in which tokens see those before them alone",
            todo=f"choose another model: {SEE_ARCHITECTURES}",
        )
    return AutoModelForImageTextToText


def _is_for_images_and_text(config: PreTrainedConfig) -> bool:
    """Whether that is the only class for it; an encoder-decoder is none either."""
    kind = type(config)
    is_causal = kind in AutoModelForCausalLM._model_mapping
    return kind in AutoModelForImageTextToText._model_mapping and not is_causal and not config.is_encoder_decoder
