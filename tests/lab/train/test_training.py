"""Training: the optimisers against torch and the definitions, the loop, and going on after it was killed."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.ground.errors import ConfigError, ModelError
from internal_physics.lab.data.batches import Batch, generator, predict_all
from internal_physics.lab.data.masking import MaskedBatches
from internal_physics.lab.data.vocabulary import PADDING_ID, Vocabulary
from internal_physics.lab.models.build import build_model, lab_config
from internal_physics.lab.models.run import load_model, mean_loss_nats
from internal_physics.lab.train.flat import flatten_weights
from internal_physics.lab.train.loop import batch_loss, train
from internal_physics.lab.train.optimizers import optimizer_for, orthogonal
from internal_physics.lab.train.schedule import share_of_rate, snapshot_steps
from internal_physics.lab.train.state import fingerprint

VOCABULARY = Vocabulary.of(f"w{i}" for i in range(18))
SMALL = LabModelOptions(layers=1, width=16, heads=2, canon="A", attention="relative")
FAST = TrainingOptions(learning_rate=1e-2, snapshots=(0, 7))


@dataclass(frozen=True)
class Pairs:
    """Each of nine words is followed by another, always the same: there is something to learn."""

    steps: int = 60
    seed: int = 0
    vocabulary: Vocabulary = VOCABULARY
    tokens_per_row: int = 9

    def at(self, step: int) -> Batch:
        firsts = 2 + generator(self.seed, "pairs", str(step)).integers(0, 9, (4, 4))
        words = np.stack([firsts, firsts + 9], axis=2).reshape(4, 8)
        return predict_all(np.concatenate([np.zeros((4, 1), int), words], axis=1))


def new_model(options: LabModelOptions = SMALL, vocabulary: Vocabulary = VOCABULARY):
    return build_model(lab_config(options, vocabulary, 9), seed=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole training in one go: its folder, its rows and its last weights."""
    folder, model = tmp_path_factory.mktemp("whole"), new_model()
    rows = train(model, Pairs(), FAST, folder=folder)
    return folder, rows, [p.detach().clone() for p in model.parameters()]


class TestLoop:
    def test_it_learns_what_can_be_known(self, trained):
        """Half of the words are known from the word before, the other half are one of nine."""
        _, rows, _ = trained
        floor = np.log(9) / 2
        assert rows[0]["loss_nats"] > 2.2  # the places of a row alone give ln 9 = 2.197
        assert floor * 0.85 < np.mean([row["loss_nats"] for row in rows[-10:]]) < floor * 1.4  # seen: 1.3

    def test_the_table_counts_steps_and_tokens(self, trained):
        _, rows, _ = trained
        assert [row["step"] for row in rows] == list(range(1, 61))
        assert [row["tokens"] for row in rows] == [32 * step for step in range(1, 61)]
        assert rows[-1]["learning_rate"] == pytest.approx(1e-2 * share_of_rate(59, 60, FAST))

    def test_snapshots_are_there_at_the_steps_asked_for(self, trained):
        folder, rows, weights = trained
        assert sorted(int(path.name) for path in (folder / "steps").iterdir()) == [0, 7, 60]
        last, first = (load_model(folder / "steps" / step) for step in ("60", "0"))
        assert all(torch.equal(a, b) for a, b in zip(last.parameters(), weights, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), new_model().parameters(), strict=True))
        assert mean_loss_nats(load_model(folder / "steps" / "7"), Pairs().at(7)) < rows[0]["loss_nats"]

    @pytest.mark.parametrize("killed_after", [3, 7, 41])
    def test_a_training_that_was_killed_goes_on_with_the_same_numbers(self, trained, tmp_path, killed_after):
        train(new_model(), Pairs(), FAST, folder=tmp_path, training="a", stop_after=killed_after)
        model = new_model()
        rows = train(model, Pairs(), FAST, folder=tmp_path, training="a")
        _, whole, weights = trained
        assert [(r["step"], r["loss_nats"]) for r in rows] == [(r["step"], r["loss_nats"]) for r in whole]
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), weights, strict=True))
        assert sorted(int(path.name) for path in (tmp_path / "steps").iterdir()) == [0, 7, 60]

    def test_a_state_of_another_training_is_not_resumed(self, trained, tmp_path):
        train(new_model(), Pairs(), replace(FAST, learning_rate=1e-3), folder=tmp_path, training="b", stop_after=20)
        rows = train(new_model(), Pairs(), FAST, folder=tmp_path, training="a")
        assert [r["loss_nats"] for r in rows] == [r["loss_nats"] for r in trained[1]]

    def test_a_damaged_state_begins_anew(self, trained, tmp_path):
        train(new_model(), Pairs(), FAST, folder=tmp_path, training="a", stop_after=20)
        (tmp_path / "state" / "state.safetensors").write_bytes(b"broken")
        rows = train(new_model(), Pairs(), FAST, folder=tmp_path, training="a")
        assert [r["loss_nats"] for r in rows] == [r["loss_nats"] for r in trained[1]]

    def test_rows_of_a_long_training_are_means_over_steps(self, tmp_path, trained, monkeypatch):
        monkeypatch.setattr("internal_physics.lab.train.loop.N_ROWS", 10)
        rows = train(new_model(), Pairs(), FAST, folder=tmp_path)
        assert [row["step"] for row in rows] == [6, 7, 12, 18, 24, 30, 36, 42, 48, 54, 60]
        every = [row["loss_nats"] for row in trained[1]]
        assert [row["loss_nats"] for row in rows[:3]] == pytest.approx(
            [np.mean(every[:6]), every[6], np.mean(every[7:12])], rel=1e-6
        )

    def test_a_snapshot_after_the_last_step_is_refused(self):
        with pytest.raises(ConfigError, match="a snapshot after step 99"):
            snapshot_steps(replace(FAST, snapshots=(5, 99)), 60)

    def test_a_loss_that_is_not_finite_is_refused(self, tmp_path):
        wild = replace(FAST, learning_rate=1e30, clip_norm=0.0, warmup_share=0.0)
        with pytest.raises(ModelError, match=r"the loss is (nan|inf) after step"):
            train(new_model(), Pairs(), wild, folder=tmp_path)

    def test_a_masked_model_learns_from_both_sides(self, tmp_path):
        batches = MaskedBatches(Pairs(300), seed=0)
        model = new_model(replace(SMALL, masked=True, canon=""), batches.vocabulary)
        rows = train(model, batches, FAST, folder=tmp_path)
        assert np.mean([row["loss_nats"] for row in rows[-40:]]) < 0.6 * np.log(18)  # seen: 0.35; unknown words: 1


class TestMasking:
    def test_words_are_hidden_as_published(self):
        batches = MaskedBatches(Pairs(300), seed=3)
        made = [batches.at(step) for step in range(300)]
        tokens, weights, shown = (
            np.stack([getattr(b, name) for b in made]) for name in ("tokens", "loss_weights", "inputs")
        )
        words, mask_id = tokens > PADDING_ID, len(batches.vocabulary) - 1
        hidden = weights > 0
        n = words.sum()
        assert abs(hidden.sum() / n - 0.15) < 5 * np.sqrt(0.15 * 0.85 / n)
        assert not (hidden & ~words).any()
        assert np.array_equal(shown[~hidden], tokens[~hidden])
        share = (shown[hidden] == mask_id).mean()
        assert abs(share - 0.8 - 0.1 / 19) < 5 * np.sqrt(0.16 / hidden.sum())
        assert (weights.sum(axis=(1, 2)) >= 1).all()

    def test_it_is_a_function_of_the_step(self):
        one, same = (MaskedBatches(Pairs(), seed=3).at(5) for _ in range(2))
        assert np.array_equal(one.inputs, same.inputs)
        assert not np.array_equal(one.inputs, MaskedBatches(Pairs(), seed=4).at(5).inputs)


class TestSchedule:
    def test_warm_up_then_cosine_to_the_final_share(self):
        options = TrainingOptions(warmup_share=0.1, final_share=0.1)
        shares = [share_of_rate(step, 100, options) for step in range(100)]
        assert shares[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
        assert max(shares) == 1.0
        assert shares[55] == pytest.approx(0.55)  # half of the way from 1 to 0.1
        assert shares[99] == pytest.approx(0.1, abs=1e-3)
        assert shares[10:] == sorted(shares[10:], reverse=True)

    def test_a_line_over_the_last_part_and_none(self):
        line = TrainingOptions(warmup_share=0, schedule="linear", decay_share=0.6, final_share=0)
        assert [share_of_rate(s, 100, line) for s in (0, 39, 40, 70, 99)] == pytest.approx([1, 1, 1, 0.5, 1 / 60])
        constant = TrainingOptions(warmup_share=0, schedule="constant")
        assert {share_of_rate(s, 50, constant) for s in range(50)} == {1.0}


class TestOptimizers:
    def test_adamw_is_that_of_torch(self):
        options = TrainingOptions(learning_rate=3e-3, weight_decay=0.3, clip_norm=0.5)
        ours, theirs = new_model().double(), new_model().double()
        flat = flatten_weights(ours)
        optimizer = optimizer_for(flat, options)
        decays = {place.name: place.is_matrix for place in flat.places}
        groups = [
            {"params": [p for n, p in theirs.named_parameters() if decays[n] == d], "weight_decay": 0.3 * d}
            for d in (True, False)
        ]
        reference = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.98), eps=1e-6)
        for step in range(5):
            flat.gradient.zero_()
            batch_loss(ours, Pairs().at(step)).backward()
            flat.gradient.mul_((0.5 / flat.gradient.norm()).clamp(max=1))
            optimizer.update(step, 1.0)
            reference.zero_grad()
            batch_loss(theirs, Pairs().at(step)).backward()
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
            reference.step()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert (
                a - b
            ).abs().max() < 1e-9  # steps are 3e-3 each; seen: 1e-14, but for keys' biases, whose gradient is 0

    def test_orthogonal_keeps_singular_vectors_and_evens_out_the_values(self):
        draws = torch.Generator().manual_seed(0)
        matrices = torch.randn(3, 12, 5, generator=draws)
        u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
        found = orthogonal(matrices)
        inner = u.mT @ found @ vh.mT  # diagonal, if the vectors are the same
        values = inner.diagonal(dim1=1, dim2=2)
        assert (inner - torch.diag_embed(values)).abs().max() < 1e-4
        assert 0.6 < values.min() <= values.max() < 1.3  # what five iterations of the quintic reach
        assert torch.allclose(orthogonal(matrices.mT), found.mT, atol=1e-5)
        assert not orthogonal(torch.zeros(1, 4, 4)).any()

    def test_muon_changes_matrices_in_blocks_by_orthogonal_steps_and_the_rest_as_adamw(self):
        options = TrainingOptions(optimizer="muon", weight_decay=0.0)
        muon, adamw = new_model(), new_model()
        for model, chosen in ((muon, options), (adamw, replace(options, optimizer="adamw"))):
            flat = flatten_weights(model)
            batch_loss(model, Pairs().at(0)).backward()
            optimizer_for(flat, chosen).update(0, 1.0)
        before = dict(new_model().named_parameters())
        others = dict(adamw.named_parameters())
        for name, p in muon.named_parameters():
            step = (p - before[name]).detach()
            if p.ndim == 2 and "proj" in name:
                values = torch.linalg.svdvals(step) / (0.02 * max(1, p.shape[0] / p.shape[1]) ** 0.5)
                assert values.max() < 1.3, name
                assert values.median() > 0.6, name
            else:
                assert torch.equal(p, others[name]), name

    def test_muon_joins_queries_keys_and_values_as_if_one_map_computed_them(self):
        """The step of the joined matrix is orthogonal; joined or not, all other weights change alike."""
        found = {}
        for joins in (False, True):
            model = new_model()
            flat = flatten_weights(model)
            batch_loss(model, Pairs().at(0)).backward()
            options = TrainingOptions(optimizer="muon", muon_joins=joins, weight_decay=0.0)
            optimizer_for(flat, options).update(0, 1.0)
            found[joins] = dict(model.named_parameters())
        before = new_model()
        batch_loss(before, Pairs().at(0)).backward()
        names = [f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkv"]
        weights = dict(before.named_parameters())
        joined = torch.cat([weights[name] for name in names]).detach()
        gradient = torch.cat([weights[name].grad for name in names])
        step = orthogonal((gradient * 1.95)[None])[0]  # of the first momentum, looked ahead
        expected = joined - 0.02 * 3**0.5 * step
        assert torch.allclose(torch.cat([found[True][name] for name in names]), expected, atol=1e-6)
        for name, p in found[False].items():
            assert torch.equal(p, found[True][name]) == (name not in names), name

    @pytest.mark.parametrize(("decaying", "and_embedding"), [("matrices", True), ("blocks", False)])
    def test_weights_outside_blocks_decay_only_if_asked(self, decaying, and_embedding):
        flat = flatten_weights(new_model(), decaying=decaying)
        decays = {place.name for place in flat.places if bool(place.of(flat.decays).all())}
        stays = {place.name for place in flat.places if not bool(place.of(flat.decays).any())}
        hidden = {place.name for place in flat.places if place.is_hidden}
        assert decays == hidden | ({"model.embed_tokens.weight"} if and_embedding else set())
        assert decays | stays == {place.name for place in flat.places}

    def test_a_training_without_decay_outside_blocks_has_larger_embeddings(self, tmp_path):
        sizes = {}
        for decaying in ("matrices", "blocks"):
            model = new_model()
            options = replace(FAST, decaying=decaying, weight_decay=1.0, snapshots=())
            train(model, Pairs(30), options, folder=tmp_path / decaying)
            sizes[decaying] = float(model.model.embed_tokens.weight.detach().norm())
        assert sizes["blocks"] > 1.05 * sizes["matrices"]

    def test_muon_goes_on_after_it_was_killed(self, tmp_path):
        options = replace(FAST, optimizer="muon")
        whole = train(new_model(), Pairs(30), options, folder=tmp_path / "whole")
        train(new_model(), Pairs(30), options, folder=tmp_path / "parts", stop_after=11)
        rows = train(new_model(), Pairs(30), options, folder=tmp_path / "parts")
        assert [r["loss_nats"] for r in rows] == [r["loss_nats"] for r in whole]

    def test_weights_are_views_of_one_vector_and_tied_ones_are_there_once(self):
        model = new_model()
        flat = flatten_weights(model)
        assert len(flat.weights) == sum(p.numel() for p in model.parameters())
        flat.weights.fill_(0.5)
        assert all(bool((p == 0.5).all()) for p in model.parameters())
        assert {p.name for p in flat.places if p.is_hidden} == {
            f"model.layers.0.{part}.weight"
            for part in (*(f"self_attn.{k}_proj" for k in "qkvo"), "mlp.up_proj", "mlp.down_proj")
        }


def test_a_fingerprint_changes_with_every_option():
    one = fingerprint(SMALL, FAST, 0)
    assert one == fingerprint(SMALL, FAST, 0)
    assert len({one, fingerprint(SMALL, FAST, 1), fingerprint(replace(SMALL, width=32), FAST, 0)}) == 3
