"""The loop: batches → updates, a table of losses, and snapshots at the steps that are asked for.

A training that was killed goes on from its last state with the same numbers: data and first weights are functions of
the seed and the step.
"""

import logging
import math
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import PreTrainedModel

from internal_physics.config.options.lab_training import TrainingOptions
from internal_physics.ground.errors import ModelError
from internal_physics.ground.files import whole_folder
from internal_physics.lab.data.batches import Batch, Batches
from internal_physics.lab.data.vocabulary import PADDING_ID
from internal_physics.lab.models.build import save_model
from internal_physics.lab.train.flat import FlatWeights, flatten_weights
from internal_physics.lab.train.low_rank import without_low_rank
from internal_physics.lab.train.optimizers import Optimizer, optimizer_for
from internal_physics.lab.train.schedule import share_of_rate, snapshot_steps
from internal_physics.lab.train.state import State, read_state, write_state

LOGGER = logging.getLogger("internal_physics")
N_ROWS = 1000  # of the table of losses, at most about so many
SECONDS_BETWEEN_STATES = 20.0


@dataclass
class Run:
    """One training while it runs.

    Attributes:
        model: its parameters are views of `flat`.
        flat: weights and gradients.
        optimizer: its rule of change.
        batches: what it reads.
        options: how it is trained.
        rows: of the table of losses so far.
        step: updates that were made.
    """

    model: PreTrainedModel
    flat: FlatWeights
    optimizer: Optimizer
    batches: Batches
    options: TrainingOptions
    rows: list[dict[str, float]] = field(default_factory=list)
    step: int = 0

    @property
    def n_steps(self) -> int:
        """Of the whole training."""
        return self.batches.steps


def train(
    model: PreTrainedModel,
    batches: Batches,
    options: TrainingOptions,
    *,
    folder: Path,
    training: str = "",
    stop_after: int | None = None,
) -> list[dict[str, float]]:
    """Train a model, or go on with a training that was killed.

    Args:
        model: with its first weights, on the device where it is trained; it has its last ones afterwards.
        batches: its training set.
        options: how it is trained.
        folder: gets `steps/{step}`, a snapshot for each step asked for, and `state` while the training is unfinished.
        training: checksum of everything that decides it (`state.fingerprint`); a state of another is not resumed.
        stop_after: end after this step, as if killed.

    Returns:
        Rows of the table of losses: step (updates made), tokens (predicted so far), loss_nats (weighted mean over the
        updates since the row before), learning_rate (of the last of them) and seconds (since that row).

    Raises:
        ConfigError: for a snapshot after the last step.
        ModelError: when the loss is not finite.
    """
    asked = snapshot_steps(options, batches.steps)
    state = read_state(folder / "state", training)
    if state is None:
        shutil.rmtree(folder / "steps", ignore_errors=True)  # of another training
    run = _begin(model, batches, options, state)
    model.train()
    saved = time.monotonic()
    every = max(1, batches.steps // N_ROWS)
    _snapshot(run, asked, folder)
    for updates in _chunks(run, every):
        run.rows.append(_updates(run, updates))
        _snapshot(run, asked, folder)
        if time.monotonic() - saved > SECONDS_BETWEEN_STATES or run.step == stop_after:
            _keep(run, folder, training)
            saved = time.monotonic()
        if run.step == stop_after:
            break
    model.eval()
    return run.rows


def _begin(model: PreTrainedModel, batches: Batches, options: TrainingOptions, state: State | None) -> Run:
    flat = flatten_weights(model, decaying=options.decaying)
    run = Run(model, flat, optimizer_for(flat, options), batches, options)
    if state is None:
        return run
    LOGGER.info("the training goes on after step %d", state.step)
    with torch.no_grad():
        flat.weights.copy_(state.tensors["weights"])
        for name, tensor in run.optimizer.state.items():
            tensor.copy_(state.tensors[name])
    run.rows, run.step = state.rows, state.step
    return run


def _keep(run: Run, folder: Path, training: str) -> None:
    tensors = {"weights": run.flat.weights, **run.optimizer.state}
    write_state(folder / "state", State(run.step, tensors, run.rows), training)


def _chunks(run: Run, every: int) -> Iterator[range]:
    """The steps that are left, in ranges that end at rows of the table and at snapshots; with a progress bar."""
    asked = {*snapshot_steps(run.options, run.n_steps)}
    ends = sorted(step for step in {*range(every, run.n_steps, every), *asked} if step > run.step)
    with tqdm(total=run.n_steps, initial=run.step, unit="step", file=sys.stderr, mininterval=5.0) as bar:
        begin = run.step
        for end in ends:
            yield range(begin, end)
            bar.set_postfix(loss=f"{run.rows[-1]['loss_nats']:.3f}", refresh=False)
            bar.update(end - begin)
            begin = end


def _updates(run: Run, steps: range) -> dict[str, float]:
    """Some updates, and the row of the table about them."""
    begin, losses, n_tokens = time.monotonic(), [], 0.0
    share = 0.0
    for step in steps:
        batch = run.batches.at(step)
        share = share_of_rate(step, run.n_steps, run.options)
        losses.append(_update(run, batch, step, share))
        n_tokens += float((batch.loss_weights > 0).sum())
    run.step = steps.stop
    loss = float(torch.stack(losses).mean())
    if not math.isfinite(loss):
        raise ModelError(
            f"the loss is {loss} after step {run.step}",
            where="training",
            todo="choose a smaller learning_rate, or a clip_norm",
        )
    before = run.rows[-1]["tokens"] if run.rows else 0.0
    return {
        "step": run.step,
        "tokens": before + n_tokens,
        "loss_nats": loss,
        "learning_rate": share * run.options.learning_rate,
        "seconds": time.monotonic() - begin,
    }


def _update(run: Run, batch: Batch, step: int, share: float) -> torch.Tensor:
    run.flat.gradient.zero_()
    loss = batch_loss(run.model, batch)
    loss.backward()
    _clip(run.flat.gradient, run.options.clip_norm)
    run.optimizer.update(step, share)
    return loss.detach()


def batch_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The weighted mean loss of a batch, in nats: of the next tokens, or of the hidden words of a masked model."""
    tokens = torch.as_tensor(batch.tokens, device=model.device)
    weights = torch.as_tensor(batch.loss_weights, device=model.device)
    if batch.inputs is None:
        logits, targets, weights = model(tokens[:, :-1]).logits, tokens[:, 1:], weights[:, 1:]
    else:
        shown = torch.as_tensor(batch.inputs, device=model.device)
        logits, targets = model(shown, attention_mask=(shown != PADDING_ID).long()).logits, tokens
    nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (nats * weights.flatten()).sum() / weights.sum()


def _clip(gradient: torch.Tensor, largest: float) -> None:
    if largest:
        gradient.mul_((largest / (gradient.norm() + 1e-6)).clamp(max=1.0))


def _snapshot(run: Run, asked: tuple[int, ...], folder: Path) -> None:
    target = folder / "steps" / str(run.step)
    if run.step not in asked or target.exists():
        return
    with whole_folder(target) as temporary:
        save_model(without_low_rank(run.model), run.batches.vocabulary, temporary)
