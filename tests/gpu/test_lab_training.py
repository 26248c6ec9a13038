"""Trainings of the lab on a GPU against those on the CPU, killed and resumed, and moved from one to the other.

A GPU adds in another order than the CPU, and in some sums in another order each time, so losses agree to rounding that
training makes larger. Twenty steps of a small model keep it small.
"""

import numpy as np
import pytest
import torch
from internal_physics.config.options.lab_training import TrainingOptions
from internal_physics.lab.data.batches import predict_all
from internal_physics.lab.data.masking import MaskedBatches
from internal_physics.lab.models.build import build_model, lab_config
from internal_physics.lab.models.run import continue_rows, load_trained, token_losses_nats
from internal_physics.lab.train.loop import train
from internal_physics.lab.train.low_rank import add_low_rank
from lab_models import CONTEXT, EVERY, VOCABULARY

DEVICE = "cuda"
STEPS, KILLED_AFTER = 20, 8
OF_LOSSES = 1e-3  # nats; chosen before any GPU ran this
KINDS = (
    "absolute-plain",
    "rotary-rich",
    "relative-plain",
    "position_only-rich",
    "uniform-plain",
    "masked-rotary-plain",
)
OPTIONS = {
    "adamw": TrainingOptions(learning_rate=1e-3, snapshots=(0, 5)),
    "muon": TrainingOptions(learning_rate=1e-3, muon_learning_rate=1e-3, optimizer="muon", snapshots=(0, 5)),
}


class Rows:
    """Rows of words of which the second half repeats the first."""

    steps, tokens_per_row, vocabulary = STEPS, 12, VOCABULARY

    def at(self, step):
        words = np.random.default_rng(step).integers(2, 30, (8, 6))
        return predict_all(np.concatenate([words, words], axis=1))


def losses(name, optimizer, device, folder, *, stop_after=None, low_rank=0):
    model = build_model(lab_config(EVERY[name], VOCABULARY, CONTEXT), seed=0)
    if low_rank:
        add_low_rank(model, rank=low_rank, embedding_rank=2 * low_rank, seed=0)
    batches = MaskedBatches(Rows(), seed=0) if EVERY[name].masked else Rows()
    rows = train(model.to(device), batches, OPTIONS[optimizer], folder=folder, training="a", stop_after=stop_after)
    assert model.device.type == torch.device(device).type
    return np.array([row["loss_nats"] for row in rows])


@pytest.mark.parametrize("optimizer", OPTIONS)
@pytest.mark.parametrize("name", KINDS)
def test_losses_and_snapshots_are_those_of_the_cpu(name, optimizer, tmp_path):
    on_gpu = losses(name, optimizer, DEVICE, tmp_path / "gpu")
    on_cpu = losses(name, optimizer, "cpu", tmp_path / "cpu")
    assert len(on_gpu) == STEPS
    assert np.abs(on_gpu - on_cpu).max() <= OF_LOSSES
    first, same = (load_trained(tmp_path / device / "steps" / "0") for device in ("gpu", "cpu"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), same.parameters(), strict=True))


@pytest.mark.parametrize(("begun_on", "ended_on"), [(DEVICE, DEVICE), (DEVICE, "cpu"), ("cpu", DEVICE)])
@pytest.mark.parametrize("optimizer", OPTIONS)
def test_a_training_that_was_killed_goes_on_on_either_device(optimizer, begun_on, ended_on, tmp_path):
    whole = losses("rotary-plain", optimizer, "cpu", tmp_path / "whole")
    begun = losses("rotary-plain", optimizer, begun_on, tmp_path / "parts", stop_after=KILLED_AFTER)
    assert len(begun) == KILLED_AFTER
    parts = losses("rotary-plain", optimizer, ended_on, tmp_path / "parts")
    assert np.array_equal(parts[:KILLED_AFTER], begun)
    assert np.abs(parts - whole).max() <= OF_LOSSES


def test_a_low_rank_change_learns_what_it_learns_on_the_cpu(tmp_path):
    on_gpu = losses("absolute-plain", "adamw", DEVICE, tmp_path / "gpu", low_rank=2)
    on_cpu = losses("absolute-plain", "adamw", "cpu", tmp_path / "cpu", low_rank=2)
    assert np.abs(on_gpu - on_cpu).max() <= OF_LOSSES


def test_a_snapshot_of_a_gpu_is_measured_on_both(tmp_path):
    losses("rotary-plain", "adamw", DEVICE, tmp_path)
    tokens = Rows().at(99).tokens
    models = [load_trained(tmp_path / "steps" / str(STEPS), device) for device in (DEVICE, "cpu")]
    found = [token_losses_nats(model, tokens) for model in models]
    assert np.abs(found[0] - found[1]).max() <= OF_LOSSES
    best = [continue_rows(model, tokens[:, :6], 4) for model in models]
    assert (best[0] == best[1]).mean() > 0.9  # two words may be equally good to rounding
    drawn = [continue_rows(models[0], tokens[:, :6], 4, seed=3) for _ in range(2)]
    assert np.array_equal(*drawn)
