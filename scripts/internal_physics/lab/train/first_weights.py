"""First weights that are not random: the last ones of another training."""

import hashlib
from pathlib import Path

from transformers import PreTrainedModel

from internal_physics.ground.errors import ModelError
from internal_physics.lab.data.vocabulary import Vocabulary
from internal_physics.lab.models.run import load_model
from internal_physics.lab.models.tokenizer import words_of
from internal_physics.lab.snapshots import snapshots_in


def begin_with(model: PreTrainedModel, vocabulary: Vocabulary, steps: str | Path) -> str:
    """Give a model the weights of the last snapshot of another training; returns a checksum of them.

    Args:
        model: of the same shape.
        vocabulary: of the new training.
        steps: folder {step}/ of the other's snapshots.

    Raises:
        ModelError: if the other training has other words or another shape of model.
    """
    (*_, last) = snapshots_in(steps).values()
    if words_of(last) != vocabulary.all_words:
        raise ModelError("its words are others", where=str(last), expected="a training on the same language")
    other = load_model(last, "masked" if model.config.reads_both_ways else "causal")
    try:
        model.load_state_dict(other.state_dict())
    except RuntimeError as error:
        raise ModelError("its model has another shape", where=str(last), expected="the same model") from error
    return hashlib.sha256((Path(last) / "model.safetensors").read_bytes()).hexdigest()
