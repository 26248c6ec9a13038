"""Arms that go on from another with a low-rank change alone (`training.low_rank`)."""

from dataclasses import asdict, replace

import pytest
import torch
from internal_physics.config.lab import lab_arms
from internal_physics.config.options.lab_reasoning import ReasoningData
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.adapted import EMBEDDING_RANKS, n_trained
from internal_physics.lab.collect import arm_row
from internal_physics.lab.data.batches import generator
from internal_physics.lab.experiments.reasoning import data as reasoning_data
from internal_physics.lab.models.run import load_model
from internal_physics.lab.tables import LAB_TRAINING
from internal_physics.lab.train.job import train_arm
from internal_physics.lab.train.low_rank import add_low_rank, without_low_rank
from internal_physics.tables.read import read_table

RANK, STEPS = 2, 6
DATA = ReasoningData(steps=STEPS, problems_per_step=8)
RETRIES = replace(DATA, skipped_steps=STEPS, retry_rate=0.5)
MODEL = LabModelOptions(layers=2, width=16, canon="AC", norm="rms", biases=True, tied=True)
LOW_RANK = TrainingOptions(learning_rate=0.02, low_rank=RANK, snapshots=(0,))
LEARNED = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "embed_tokens.weight")


def trained(folder, data, training, first=None):
    arm = {"data": asdict(data), "model": asdict(MODEL), "training": asdict(training)}
    train_arm(
        "internal_physics.lab.experiments.reasoning.data",
        arm,
        name="a",
        seed=0,
        losses=str(folder / "training.parquet"),
        steps=str(folder / "steps"),
        unfinished=str(folder / "unfinished"),
        threads=1,
        first_weights=first and str(first / "steps"),
    )
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("first"), DATA, TrainingOptions())


@pytest.fixture(scope="module")
def adapted(first, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("adapted"), RETRIES, LOW_RANK, first)


def weights(folder, step):
    return load_model(folder / "steps" / str(step)).state_dict()


def test_only_the_named_weights_change_and_by_a_matrix_of_the_rank(first, adapted):
    before, begun, after = weights(first, STEPS), weights(adapted, 0), weights(adapted, STEPS)
    assert set(before) == set(begun) == set(after)  # an ordinary model
    for name, weight in after.items():
        torch.testing.assert_close(begun[name], before[name], rtol=0, atol=0)
        change = (weight - before[name]).double()
        rank = EMBEDDING_RANKS * RANK if "embed_tokens" in name else RANK if name.endswith(LEARNED) else 0
        assert torch.linalg.matrix_rank(torch.atleast_2d(change), tol=1e-5) == rank, name


def test_the_head_of_a_tied_model_keeps_its_table(first, adapted):
    assert load_model(first / "steps" / str(STEPS)).config.tie_word_embeddings
    assert not load_model(adapted / "steps" / str(STEPS)).config.tie_word_embeddings


def test_a_model_with_the_change_added_computes_the_same(first):
    model = load_model(first / "steps" / str(STEPS))
    assert without_low_rank(model) is model
    for factor in add_low_rank(model, rank=RANK, embedding_rank=3, seed=0):
        torch.nn.init.normal_(factor, generator=torch.Generator().manual_seed(0))
    tokens = torch.as_tensor(generator(0, "tokens").integers(2, 20, (3, 12)))
    with torch.no_grad():
        torch.testing.assert_close(without_low_rank(model)(tokens).logits, model(tokens).logits, rtol=1e-4, atol=1e-5)


def test_the_table_of_arms_counts_what_is_learned(first, adapted):
    training = read_table(adapted / "training.parquet", LAB_TRAINING)
    arm = {"experiment": "reasoning", "starts_from": "first", "data": {}, "model": {}, "training": asdict(LOW_RANK)}
    n = arm_row(training, adapted / "steps", arm)["parameters"]
    model = load_model(first / "steps" / str(STEPS))
    assert n == sum(p.numel() for p in add_low_rank(model, rank=RANK, embedding_rank=EMBEDDING_RANKS * RANK, seed=0))
    assert n_trained({"model.layers.0.self_attn.q_proj.weight": (3, 5), "model.norm.weight": (5,)}, 4) == 32


def test_a_killed_training_goes_on_to_the_same_weights(first, adapted, tmp_path, monkeypatch):
    whole = reasoning_data.ReasoningBatches.at
    fatal = [3]

    def killed(self, step):
        if step in fatal:
            fatal.clear()
            raise KeyboardInterrupt
        return whole(self, step)

    monkeypatch.setattr("internal_physics.lab.train.loop.SECONDS_BETWEEN_STATES", -1.0)
    monkeypatch.setattr(reasoning_data.ReasoningBatches, "at", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, RETRIES, LOW_RANK, first)
    assert (tmp_path / "unfinished" / "state").exists()
    trained(tmp_path, RETRIES, LOW_RANK, first)
    files = [folder / "steps" / str(STEPS) / "model.safetensors" for folder in (adapted, tmp_path)]
    assert files[0].read_bytes() == files[1].read_bytes()


class TestConfig:
    def section(self, **training):
        whole = {"reasoning": {}, "model": asdict(MODEL), "training": asdict(TrainingOptions())}
        adapts = whole | {"training": asdict(replace(LOW_RANK, **training)), "starts_from": "whole"}
        return {"seeds": [0], "arms": {"whole": whole, "adapts": adapts}}

    def test_an_arm_that_starts_from_another_may_train_a_change(self):
        assert lab_arms(self.section(), "my.yaml: lab")["adapts"].options["training"]["low_rank"] == RANK

    def test_a_change_of_random_weights_is_refused(self):
        section = self.section()
        del section["arms"]["adapts"]["starts_from"]
        with pytest.raises(ConfigError, match="there is nothing to change"):
            lab_arms(section, "my.yaml: lab")

    def test_another_optimizer_is_refused(self):
        with pytest.raises(ConfigError, match="the optimizer is muon"):
            lab_arms(self.section(optimizer="muon"), "my.yaml: lab")
