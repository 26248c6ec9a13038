"""What a record says of its prompt besides tensors."""

from collections.abc import Iterable
from typing import Any

from internal_physics.config.options.record import RecordOptions
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.target import Aimed
from internal_physics.records.info import TraceInfo


def target_fields(model: LoadedModel, aimed: Aimed, b: int) -> dict[str, Any]:
    """What the gradients of prompt b are of, as the fields of its TraceInfo."""
    if aimed.token_ids is None:
        return {"target": aimed.kind}
    token = int(aimed.token_ids[b])
    text = "".join(texts_of(model, [token]))
    return {"target": aimed.kind, "target_id": token, "target_token": text, "target_value": float(aimed.values[b])}


def texts_of(model: LoadedModel, ids: Iterable[int]) -> tuple[str, ...]:
    """Readable text of each token; a part of a character decodes to the replacement sign.

    Empty if the model has no tokenizer that can decode.
    """
    decode = getattr(model.tokenizer, "decode", None)
    if decode is None:
        return ()
    return tuple(decode([int(i)]) for i in ids)


def trace_info(model: LoadedModel, e: Encoded, loss: float, infos: tuple, options: RecordOptions) -> TraceInfo:
    """What is known of a prompt besides its tensors, without its target and the texts of its most probable tokens."""
    has_sketches = options.weight_gradients == "sketch"
    return TraceInfo(
        prompt=e.prompt.name,
        text=e.prompt.text,
        token_ids=e.ids,
        tokens=e.tokens,
        loss_nats=loss,
        n_layers=model.anatomy.n_layers,
        width=model.anatomy.width,
        task=model.task,
        weight_gradients=options.weight_gradients,
        read_position=e.read_position,
        parameters=infos,
        labels=dict(model.labels),
        answer_id=e.answer,
        answer=e.prompt.answer,
        n_answer_tokens=e.n_answer_tokens,
        sketch_size=options.sketch_size if has_sketches else 0,
        sketch_seed=options.sketch_seed if has_sketches else 0,
        special_positions=e.special,
        token_texts=texts_of(model, e.ids),
    )
