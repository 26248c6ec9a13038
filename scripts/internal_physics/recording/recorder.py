"""Recording: prompts through a model in batches, one forward and one backward pass each -> Traces.

Index conventions: b prompt of the batch, t token, l residual position, h head, v vocabulary entry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from internal_physics.config.options.record import RecordOptions
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.arrays import to_numpy
from internal_physics.recording.attention import attention_tensors, attentions_of, layer_rows, learn_attention_rows
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.factors import factor_tensors, parameter_infos, place_calls
from internal_physics.recording.flow import Flow
from internal_physics.recording.loss import causal_targets, losses_nats, masked_targets
from internal_physics.recording.norms import NormKeeper
from internal_physics.recording.taps import Taps
from internal_physics.records.trace import Key, Trace, TraceInfo
from internal_physics.steering.intervention import Intervention, Steering


def record_batches(
    model: LoadedModel, encoded: Sequence[Encoded], options: RecordOptions, steering: Steering | None = None
) -> Iterator[Trace]:
    """Record prompts in batches of similar length; traces come in the order of their passes, batch by batch."""
    alone = model.prompts_interact or (model.coverage.alone and options.weight_gradients != "none")
    size = 1 if alone else options.batch_size
    if options.attention_entropy and encoded:
        learn_attention_rows(model)
    for batch in batches_of(encoded, size, options.batch_tokens):
        yield from record_batch(model, batch, options, steering)


def batches_of(encoded: Sequence[Encoded], batch_size: int, batch_tokens: int) -> Iterator[list[Encoded]]:
    """Prompts from short to long, at most `batch_size` and `batch_tokens` (padding included) together."""
    batch: list[Encoded] = []
    for e in sorted(encoded, key=lambda e: len(e.ids)):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * len(e.ids) > batch_tokens):
            yield batch
            batch = []
        batch.append(e)
    if batch:
        yield batch


def record_batch(
    model: LoadedModel, batch: Sequence[Encoded], options: RecordOptions, steering: Steering | None = None
) -> list[Trace]:
    """One forward and one backward pass of a right-padded batch, with an intervention on the residual stream if given.

    Raises:
        ArchitectureError: if the pass does not match the model's anatomy.
    """
    lengths = [len(e.ids) for e in batch]
    taps = Taps(
        model.module,
        model.anatomy,
        lengths,
        factors=options.weight_gradients != "none",
        edit=None if steering is None else Intervention(steering, lengths, max(lengths)),
        recompute=options.recompute,
        coverage=model.coverage,
    )
    keeper = NormKeeper(taps.flow, taps.packing)
    if options.weight_gradients == "norms":
        taps.flow.on_gradient = keeper.add
    with torch.enable_grad(), taps as flow:
        output = model.module(**model_inputs(model, batch, attention_entropy=options.attention_entropy))
        losses = losses_nats(output.logits, _targets(model, batch, output.logits))
        rows = layer_rows(attentions_of(output), model.anatomy, model.attention_blocks)
        predicted = [output.logits[b, e.read_position].detach().clone() for b, e in enumerate(batch)]
        del output  # logits of every position: must not be held through the backward pass
        losses.sum().backward()
    taps.verify()
    _require_complete(flow, model.anatomy)
    placed = place_calls(flow) if options.weight_gradients != "none" else []
    infos = parameter_infos(placed, taps)
    traces = []
    for b, e in enumerate(batch):
        tensors = _residual_tensors(flow, b, len(e.ids))
        tensors |= attention_tensors(rows, b, len(e.ids), model.attention_rows)
        tensors |= _logit_tensors(predicted[b], model.anatomy.n_layers, options)
        if options.weight_gradients == "norms":
            tensors |= keeper.tensors(infos, b)
        elif options.weight_gradients == "factors":
            tensors |= factor_tensors(placed, taps, b)
        info = _info(model, e, float(losses[b].detach()), infos, options)
        traces.append(Trace(replace(info, top_tokens=_top_tokens(model, tensors)), tensors))
    return traces


def model_inputs(model: LoadedModel, batch: Sequence[Encoded], *, attention_entropy: bool) -> dict[str, object]:
    """Arguments of the model's forward for a right-padded batch: ids, mask, positions, and which outputs to return."""
    n_tokens = max(len(e.ids) for e in batch)
    ids = torch.full((len(batch), n_tokens), model.pad_id)
    mask = torch.zeros((len(batch), n_tokens), dtype=torch.long)
    for b, e in enumerate(batch):
        ids[b, : len(e.ids)], mask[b, : len(e.ids)] = torch.tensor(e.ids), 1
    inputs: dict[str, object] = {"input_ids": ids.to(model.device), "attention_mask": mask.to(model.device)}
    if model.explicit_positions:
        inputs["position_ids"] = torch.arange(n_tokens, device=model.device).expand(len(batch), -1)
    if accepts(model.module, "use_cache"):
        inputs["use_cache"] = False
    if attention_entropy:
        inputs["output_attentions"] = True
    return inputs


def _targets(model: LoadedModel, batch: Sequence[Encoded], logits: torch.Tensor) -> torch.Tensor:
    if model.task == "causal":
        return causal_targets([e.ids for e in batch], logits.shape[1], logits.device)
    best = logits.detach().argmax(dim=-1)
    answers = [
        (e.read_position, int(best[b, e.read_position]) if e.answer is None else e.answer) for b, e in enumerate(batch)
    ]
    return masked_targets(answers, logits.shape[1], logits.device)


def _require_complete(flow: Flow, anatomy: Anatomy) -> None:
    for name, found in (("residual", flow.residual), ("residual gradient", flow.residual_gradient)):
        missing = sorted(set(range(anatomy.n_layers + 1)) - set(found))
        if missing:
            raise ArchitectureError(
                f"no {name} was seen at layers {missing}",
                where=anatomy.architecture,
                expected="every block runs once and reaches the loss",
            )


def _residual_tensors(flow: Flow, b: int, n_tokens: int) -> dict[Key, np.ndarray]:
    tensors = {}
    for layer in sorted(flow.residual):
        tensors[Key("residual", layer, "activation")] = to_numpy(flow.residual[layer][b, :n_tokens])
        tensors[Key("residual", layer, "gradient")] = to_numpy(flow.residual_gradient[layer][b, :n_tokens])
    return tensors


def _logit_tensors(logits: torch.Tensor, n_layers: int, options: RecordOptions) -> dict[Key, np.ndarray]:
    """Entropy and most probable tokens of the distribution at the read position, and if asked for its logits [v]."""
    log_p = logits.double().log_softmax(dim=-1)
    top = log_p.topk(min(options.top_k, log_p.numel()))
    whole = {Key("logits", n_layers, "logits"): to_numpy(logits)} if options.logits else {}
    return whole | {
        Key("logits", n_layers, "entropy_nats"): to_numpy(-(log_p.exp() * log_p).sum()),
        Key("logits", n_layers, "top_ids"): top.indices.cpu().numpy(),
        Key("logits", n_layers, "top_log_probabilities"): to_numpy(top.values),
    }


def _top_tokens(model: LoadedModel, tensors: dict[Key, np.ndarray]) -> tuple[str, ...]:
    """Readable text of each most probable token; a part of a character decodes to the replacement sign.

    Empty if the model has no tokenizer that can decode.
    """
    decode = getattr(model.tokenizer, "decode", None)
    if decode is None:
        return ()
    ids = tensors[Key("logits", model.anatomy.n_layers, "top_ids")]
    return tuple(decode([int(i)]) for i in ids)


def _info(model: LoadedModel, e: Encoded, loss: float, infos: tuple, options: RecordOptions) -> TraceInfo:
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
        special_positions=e.special,
    )
