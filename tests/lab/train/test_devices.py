"""Trainings and measurements on a device that is not the CPU: no operation mixes devices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.config.options.lab_training import TrainingOptions
from internal_physics.lab.data.batches import predict_all
from internal_physics.lab.data.masking import MaskedBatches
from internal_physics.lab.data.reasoning.nano import VOCABULARY as WORDS_OF_REASONING
from internal_physics.lab.experiments.reasoning.asking import fit_probe
from internal_physics.lab.models.build import build_model, lab_config
from internal_physics.lab.models.run import token_losses_nats
from internal_physics.lab.probes.asking import shares_of_answers
from internal_physics.lab.probes.prompted import PromptedProbe, Reading, fit_prompted_probe
from internal_physics.lab.train.adapt import train_low_rank
from internal_physics.lab.train.flat import flatten_weights
from internal_physics.lab.train.loop import Run, _begin, _update
from internal_physics.lab.train.low_rank import add_low_rank
from internal_physics.lab.train.optimizers import optimizer_for
from internal_physics.lab.train.state import State
from lab_models import CAUSAL, CONTEXT, EVERY, VOCABULARY
from one_device import GPU, OneDevice

OPTIONS = {"adamw": TrainingOptions(), "muon": TrainingOptions(optimizer="muon")}


class Rows:
    """Rows of random words."""

    steps, tokens_per_row, vocabulary = 3, 9, VOCABULARY

    def at(self, step):
        return predict_all(np.random.default_rng(step).integers(2, 30, (4, 9)))


def on_gpu(options, vocabulary=VOCABULARY):
    with torch.device(GPU):
        return build_model(lab_config(options, vocabulary, options.context), seed=0)


# Rows with padding are made by the number 0. To a masked model with Canon layers it says that padding comes first.
STEPS = [(name, 1.0) for name in EVERY] + [(n, 0.0) for n, o in EVERY.items() if not (o.masked and o.canon)]
PADDING = {1.0: "rows-without-padding", 0.0: "rows-with-padding"}


@pytest.mark.parametrize("optimizer", OPTIONS)
@pytest.mark.parametrize(("name", "number"), STEPS, ids=[f"{name}-{PADDING[number]}" for name, number in STEPS])
def test_a_step_of_every_model_is_on_one_device(name, optimizer, number):
    model = on_gpu(EVERY[name])
    batches = MaskedBatches(Rows(), seed=0) if EVERY[name].masked else Rows()
    flat = flatten_weights(model)
    run = Run(model.train(), flat, optimizer_for(flat, OPTIONS[optimizer]), batches, OPTIONS[optimizer])
    with OneDevice(number):
        loss = _update(run, batches.at(0), 0, 1.0)
    assert loss.device.type == flat.weights.device.type == GPU
    assert all(p.grad.device.type == GPU for p in model.parameters())


def test_operations_on_two_devices_are_refused():
    """Otherwise the tests of this file could not fail."""
    far, near = torch.ones(3, device=GPU), torch.ones(3)
    with OneDevice():
        for mixed in (lambda: far + near, lambda: torch.ones(3, 3) @ far, lambda: torch.where(far > 0, near, near)):
            with pytest.raises(AssertionError, match="tensors on"):
                mixed()
        with pytest.raises(AssertionError, match="tensors on"):
            far[torch.zeros(3, dtype=torch.long, device=GPU)] = near
        assert (far * torch.tensor(2.0)).device.type == GPU
        assert far[torch.tensor([0, 2])].shape == (2,)  # indices may be on the CPU
        assert near.to(GPU).device.type == GPU


def test_a_state_from_the_cpu_goes_on_on_another_device():
    plain = flatten_weights(build_model(lab_config(CAUSAL["rotary-plain"], VOCABULARY, CONTEXT), seed=0))
    tensors = {"weights": plain.weights, **optimizer_for(plain, OPTIONS["muon"]).state}
    model = on_gpu(CAUSAL["rotary-plain"])
    with OneDevice():
        run = _begin(model, Rows(), OPTIONS["muon"], State(2, tensors, []))
        loss = _update(run, Rows().at(2), 2, 0.5)
    assert run.step == 2
    assert loss.device.type == GPU


def test_a_low_rank_change_is_trained_where_the_model_is():
    model = on_gpu(CAUSAL["absolute-plain"])
    with OneDevice():
        trained = add_low_rank(model, rank=2, embedding_rank=4, seed=0)
        train_low_rank(model, trained, Rows(), learning_rate=1e-3, weight_decay=0.01)
    assert {p.grad.device.type for p in trained} == {GPU}


def test_probes_are_trained_where_the_model_is():
    model = on_gpu(CAUSAL["rotary-plain"])
    draws = np.random.default_rng(0)
    reading = Reading(draws.integers(2, 30, (6, 9)), np.full((6, 2), 4), draws.integers(0, 3, (6, 2)))
    with OneDevice(0):
        probe = PromptedProbe(model, np.array([5, 6]), [np.arange(3), np.arange(4)], n_places=2, rank=2, seed=0)
        fit_prompted_probe(probe, reading, steps=2, rows=4, learning_rate=1e-3, seed=0)
        assert probe.shares_right(reading).shape == (2, 2)
    assert {p.device.type for p in probe.parameters()} == {GPU}


@pytest.mark.parametrize("layer", [None, 1])
def test_questions_are_asked_where_the_model_is(layer):
    model = on_gpu(replace(CAUSAL["rotary-rich"], context=200), WORDS_OF_REASONING)
    options = ReasoningMeasures(probe_steps=2, probe_items=4)
    with OneDevice(0):
        probe = fit_probe(model, "can_be_next", ReasoningData(), options, 0, layer=layer)
        assert shares_of_answers(probe, [[3, 4, 5], [3, 4]]).shape == (2, 2)


def test_losses_are_measured_where_the_model_is():
    with OneDevice(0.5):
        losses = token_losses_nats(on_gpu(CAUSAL["relative-plain"]), Rows().at(0).tokens)
    assert (losses[:, 1:] == 0.5).all() and (losses[:, 0] == 0).all()
