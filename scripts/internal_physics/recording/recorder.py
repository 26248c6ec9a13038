"""Recording: prompts through a model in batches, one forward and one backward pass each -> Traces.

Index conventions: b prompt of the batch, t token, l residual position, h head, v vocabulary entry.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from internal_physics.config.options.record import RecordOptions
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts
from internal_physics.models.lengths import ranges_of
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.arrays import ToHost, to_device, to_numpy
from internal_physics.recording.attention import (
    LayerRows,
    attention_tensors,
    attentions_of,
    layer_rows,
    learn_attention_rows,
    on_host,
)
from internal_physics.recording.awaited import may_hold_all
from internal_physics.recording.batches import batches_of
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.factors import FactorKeeper, Factors, factors_of, parameter_infos, place_calls
from internal_physics.recording.flow import Flow
from internal_physics.recording.heap import frozen_heap
from internal_physics.recording.loss import causal_targets, losses_nats, masked_targets
from internal_physics.recording.norms import MOST_ERROR, NormKeeper
from internal_physics.recording.prediction import Prediction, predict, prediction_tensors
from internal_physics.recording.routing import Routing
from internal_physics.recording.sketches import SketchKeeper, in_turn, norm_array
from internal_physics.recording.stack_norms import add_norms
from internal_physics.recording.taps import Taps
from internal_physics.recording.target import Aim, Aimed, aim_of
from internal_physics.recording.trace_info import target_fields, texts_of, trace_info
from internal_physics.recording.wiring import Wiring, find_wiring
from internal_physics.records.info import ParameterInfo
from internal_physics.records.trace import Key, Trace
from internal_physics.steering.intervention import Intervention, Steering

LOGGER = logging.getLogger("internal_physics")


def record_batches(
    model: LoadedModel, encoded: Sequence[Encoded], options: RecordOptions, steering: Steering | None = None
) -> Iterator[Trace]:
    """Record prompts in batches of similar length; traces come in the order of their passes, batch by batch.

    Raises:
        ConfigError: before the first pass, for a target_token that is not one token of the model.
    """
    aim = aim_of(model, options)
    if options.attention_entropy and encoded:
        learn_attention_rows(model)
    wiring = wiring_of(model, options)
    # Experts of blocks that are computed again run one by one.
    alone = model.coverage.alone or (options.recompute and bool(wiring.experts))
    alone = model.prompts_interact or (alone and options.weight_gradients != "none")
    size = 1 if alone else options.batch_size
    with frozen_heap():
        for batch in batches_of(encoded, size, options.batch_tokens, ranges_of(model.module)):
            yield from record_batch(model, batch, options, steering, wiring, aim=aim)


def wiring_of(model: LoadedModel, options: RecordOptions) -> Wiring:
    """What every pass needs to know of the model."""
    return find_wiring(model.module, model.anatomy, model.coverage, factors=options.weight_gradients != "none")


def record_batch(
    model: LoadedModel,
    batch: Sequence[Encoded],
    options: RecordOptions,
    steering: Steering | None = None,
    wiring: Wiring | None = None,
    *,
    aim: Aim | None = None,
) -> list[Trace]:
    """One forward and one backward pass of a right-padded batch, with an intervention on the residual stream if given.

    Args:
        model: a checked one.
        batch: the prompts.
        options: what is recorded.
        steering: the intervention.
        wiring: of the model, if it was found before.
        aim: what the gradients are of, if the options' token was found before.

    Raises:
        ArchitectureError: if the pass does not match the model's anatomy.
    """
    wiring, aim = wiring or wiring_of(model, options), aim or aim_of(model, options)
    passed = _pass(model, batch, options, steering, wiring=wiring, aim=aim)
    if passed.norms is not None and passed.norms.relative_error > MOST_ERROR:
        LOGGER.info("terms of gradient norms cancel: the pass is repeated with products in float64")
        passed = _pass(model, batch, options, steering, wiring=wiring, aim=aim, products=torch.float64)
    return [_trace(model, passed, b, e, options) for b, e in enumerate(batch)]


@dataclass(frozen=True)
class _Forward:
    """What is kept of a forward pass, on its device; only the target is in its graph."""

    aimed: Aimed
    losses: torch.Tensor  # [b]
    read: torch.Tensor  # [b, v] logits at the read position
    rows: dict[int, LayerRows]


@dataclass(frozen=True)
class _Passed:
    """What is kept of one pass, on the host: of all prompts, padded [b, …] where tokens matter."""

    losses: list[float]
    aimed: Aimed
    residual: dict[int, np.ndarray]
    residual_gradient: dict[int, np.ndarray]
    attention: dict[int, LayerRows]
    prediction: Prediction
    infos: list[tuple[ParameterInfo, ...]]  # of each prompt
    norms: NormKeeper | None
    sketches: SketchKeeper | None
    factors: Factors | None
    routing: Routing


def _pass(
    model: LoadedModel,
    batch: Sequence[Encoded],
    options: RecordOptions,
    steering: Steering | None,
    *,
    wiring: Wiring,
    aim: Aim,
    products: torch.dtype | None = None,
) -> _Passed:
    """Run one pass. Nothing is read back from the device before `wait`, but a masked model's own answers."""
    lengths = [len(e.ids) for e in batch]
    taps = Taps(
        model.module,
        model.anatomy,
        lengths,
        factors=options.weight_gradients != "none",
        edit=None if steering is None else Intervention(steering, lengths, max(lengths)),
        recompute=options.recompute,
        wiring=wiring,
        together=may_hold_all(model, sum(lengths), options),
    )
    to_host = ToHost()
    kept = options.weight_gradients
    norms = NormKeeper(taps.flow, taps.packing, products=products) if kept in ("norms", "sketch") else None
    sketches = SketchKeeper(taps.packing, options.sketch_size, options.sketch_seed) if kept == "sketch" else None
    _keep_gradients(taps.flow, options, norms, sketches, to_host)
    with torch.enable_grad(), taps as flow:
        ran = _forward(model, batch, options, aim)
        taps.backward(ran.aimed.values.sum())
    taps.verify()
    _require_complete(flow, model.anatomy)
    return _on_host(taps, ran, options, to_host, norms=norms, sketches=sketches)


def _on_host(
    taps: Taps,
    ran: _Forward,
    options: RecordOptions,
    to_host: ToHost,
    *,
    norms: NormKeeper | None,
    sketches: SketchKeeper | None,
) -> _Passed:
    """Copy what is kept of a pass to the host: all copies are started, then waited for once."""
    flow = taps.flow
    placed = place_calls(flow) if options.weight_gradients != "none" else []
    attention, prediction = on_host(ran.rows, to_host), predict(ran.read, options.top_k, to_host)
    started = [{n: to_host.start(t) for n, t in of.items()} for of in (flow.residual, flow.residual_gradient)]
    losses = to_host.start(ran.losses)
    aimed = ran.aimed.on_host(losses, to_host)
    if norms is not None:
        norms.finish(to_host)
    if sketches is not None:
        sketches.finish(flow, to_host)
    for whole in (flow.dense, flow.dense_by_prompt):
        whole.update({name: to_host.start(gradient) for name, gradient in whole.items()})
    taps.routing.finish(to_host)
    to_host.wait()
    residual, gradient = ({layer: to_numpy(t) for layer, t in of.items()} for of in started)
    return _Passed(
        losses=losses.tolist(),
        aimed=aimed,
        residual=residual,
        residual_gradient=gradient,
        attention=attention,
        prediction=prediction,
        infos=parameter_infos(placed, taps),
        norms=norms,
        sketches=sketches,
        factors=factors_of(placed, taps) if options.weight_gradients == "factors" else None,
        routing=taps.routing,
    )


def _forward(model: LoadedModel, batch: Sequence[Encoded], options: RecordOptions, aim: Aim) -> _Forward:
    """Run the batch. Logits of every position end here: they must not be held through the backward pass."""
    output = model.module(**model_inputs(model, batch, attention_entropy=options.attention_entropy))
    losses = losses_nats(output.logits, _targets(model, batch, output.logits))
    rows = layer_rows(attentions_of(output), model.anatomy, model.attention_blocks)
    read = torch.stack([output.logits[b, e.read_position] for b, e in enumerate(batch)])
    return _Forward(aim.at(losses, read, [e.answer for e in batch]), losses.detach(), read.detach(), rows)


def _keep_gradients(
    flow: Flow, options: RecordOptions, norms: NormKeeper | None, sketches: SketchKeeper | None, to_host: ToHost
) -> None:
    """Say what is done with the gradients of a pass as they arrive."""
    if norms is not None and sketches is not None:  # norms come last, because they drop the factors
        flow.on_gradient = in_turn(sketches.add, norms.add)
        flow.on_stack = in_turn(sketches.add_stack, partial(add_norms, norms))
        return
    if norms is not None:
        flow.on_gradient, flow.on_stack = norms.add, partial(add_norms, norms)
    elif options.weight_gradients == "factors":
        factors = FactorKeeper(to_host)
        flow.on_gradient, flow.on_stack = factors.add, factors.add_stack


def _trace(model: LoadedModel, passed: _Passed, b: int, e: Encoded, options: RecordOptions) -> Trace:
    tensors = _residual_tensors(passed, b, len(e.ids))
    tensors |= attention_tensors(passed.attention, b, len(e.ids), model.attention_rows)
    tensors |= prediction_tensors(passed.prediction, b, model.anatomy.n_layers, logits=options.logits)
    tensors |= passed.routing.tensors(b)
    if passed.norms is not None:
        norms = passed.norms.tensors(passed.infos[b], b)
        tensors |= norms if passed.sketches is None else norm_array(passed.infos[b], norms)
    if passed.sketches is not None:
        tensors |= passed.sketches.tensors(passed.infos[b], b)
    if passed.factors is not None:
        tensors |= passed.factors.of_prompt(b)
    info = trace_info(model, e, passed.losses[b], passed.infos[b], options)
    top_ids = tensors[Key("logits", model.anatomy.n_layers, "top_ids")]
    told = target_fields(model, passed.aimed, b) | {"top_tokens": texts_of(model, top_ids)}
    return Trace(replace(info, **told), tensors)


def model_inputs(model: LoadedModel, batch: Sequence[Encoded], *, attention_entropy: bool) -> dict[str, object]:
    """Arguments of the model's forward for a right-padded batch: ids, mask, positions, and which outputs to return."""
    n_tokens = max(len(e.ids) for e in batch)
    ids = torch.full((len(batch), n_tokens), model.pad_id)
    mask = torch.zeros((len(batch), n_tokens), dtype=torch.long)
    for b, e in enumerate(batch):
        ids[b, : len(e.ids)], mask[b, : len(e.ids)] = torch.tensor(e.ids), 1
    on_device = (to_device(ids, model.device), to_device(mask, model.device))
    inputs: dict[str, object] = dict(zip(("input_ids", "attention_mask"), on_device, strict=True))
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
    best: list[int] = []
    if any(e.answer is None for e in batch):
        read = torch.stack([logits[b, e.read_position].detach() for b, e in enumerate(batch)])
        best = read.argmax(dim=-1).tolist()
    answers = [(e.read_position, best[b] if e.answer is None else e.answer) for b, e in enumerate(batch)]
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


def _residual_tensors(passed: _Passed, b: int, n_tokens: int) -> dict[Key, np.ndarray]:
    tensors = {}
    for layer in sorted(passed.residual):
        tensors[Key("residual", layer, "activation")] = passed.residual[layer][b, :n_tokens]
        tensors[Key("residual", layer, "gradient")] = passed.residual_gradient[layer][b, :n_tokens]
    return tensors
