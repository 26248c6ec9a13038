"""Why transformers fails to load a model, as an error that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import AutoConfig

from internal_physics.ground.errors import ModelError
from internal_physics.models.heads import HEADS, head_for
from internal_physics.models.quantization_settings import other_method
from internal_physics.models.refusals import reason_of
from internal_physics.models.stored_quantization import BITSANDBYTES, StoredQuantization


@contextmanager
def known_reasons(snapshot: str | Path, task: str, stored: StoredQuantization | None) -> Iterator[None]:
    """Explain what transformers raises on loading, where the cause is known: the model's own code, head or padding.

    Args:
        snapshot: folder of the model.
        task: causal or masked.
        stored: how its checkpoint is quantised.

    Raises:
        ModelError: for a known cause; anything else is raised as it came.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AssertionError) as error:
        reason = _known_reason(str(error), snapshot, task)
        if reason is None and stored is not None and stored.method != BITSANDBYTES:
            reason = other_method(stored, f"and transformers cannot load that here: {reason_of(error)}", snapshot)
        if reason is None:
            raise
        raise reason from error


def _known_reason(said: str, snapshot: str | Path, task: str) -> ModelError | None:
    if "Unrecognized configuration class" in said:
        return _no_head(snapshot, task)
    if "Padding_idx" in said:
        return ModelError(
            "pad_token_id in its config.json is a token that its embedding has no row for",
            where=str(snapshot),
            expected="null, or a token of the model (RoBERTa and similar models number positions from it)",
            todo="set pad_token_id in config.json; the tokenizer's padding token may stay as it is",
        )
    if "trust_remote_code" in said:
        return ModelError(
            "the model needs Python code that came with it, which is not run without trust_remote_code",
            where=str(snapshot),
            expected="an architecture that transformers knows",
            todo="read the .py files in the snapshot; to run them, set trust_remote_code: true for this model",
        )
    return None


def _no_head(snapshot: str | Path, task: str) -> ModelError:
    config = AutoConfig.from_pretrained(str(snapshot))
    other = next((name for name in HEADS if type(config) in head_for(name, snapshot)._model_mapping), None)
    return ModelError(
        f"transformers has no {task} language model of type {config.model_type}",
        where=f"{snapshot}, task: {task}",
        expected="a causal or a masked language model; others, such as encoder-decoders, are not supported",
        todo=f"set task: {other}" if other else "choose another model",
    )
