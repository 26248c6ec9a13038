"""Lab models pass through loading, self-check, recording and readout as any model: every kind against autograd."""

import json
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
from cases import check, record
from internal_physics.config.prompts import Prompt
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.models.build import save_model
from internal_physics.lab.models.run import continue_rows, load_model, token_losses_nats
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.models.weights import weights_of
from internal_physics.recording.encoding import Encoded, encode_prompts
from internal_physics.recording.selfcheck import CheckedModel
from lab_models import EVERY, VOCABULARY, lab_model, task_of
from oracles import Question, loss_of, trainable
from torch.nn import functional

every_kind = pytest.mark.parametrize("name", EVERY)
IDS = (0, 5, 9, 30, 2, 17, 8)
GAP = 3
FLOAT64 = 1e-8  # relative; seen: 1e-14


@cache
def checked(name: str) -> CheckedModel:
    return check(lab_model(name), task_of(name))


def prompt(name: str) -> Encoded:
    position, answer = (GAP, 11) if task_of(name) == "masked" else (len(IDS) - 1, None)
    ids = tuple(VOCABULARY.ids(["<mask>"])[0] if i == GAP and answer else token for i, token in enumerate(IDS))
    return Encoded(Prompt("p", "p"), ids, tuple(map(str, ids)), position, answer)


@every_kind
def test_every_weight_is_recorded_and_equals_autograd(name):
    module, encoded = lab_model(name), prompt(name)
    trace = record(checked(name).model, [encoded])["p"]
    with trainable(module):
        loss = loss_of(module, Question(encoded.ids, task_of(name), encoded.read_position, encoded.answer))
        loss.backward()
        right = {n: p.grad.numpy().copy() for n, p in module.named_parameters() if p.grad is not None and p.ndim > 1}
    assert checked(name).unreached == ()
    assert set(trace.parameters) == set(right)
    assert abs(trace.info.loss_nats - float(loss.detach())) <= FLOAT64 * float(loss.detach())
    for matrix, gradient in right.items():
        size = np.linalg.norm(gradient)
        assert np.linalg.norm(trace.gradient(matrix).dense() - gradient) <= FLOAT64 * size, matrix


@pytest.mark.parametrize("name", ["rotary-rich", "relative-rich", "masked-absolute-plain"])
def test_weights_have_kinds_that_figures_name(name):
    kinds = {w.parameter: w.kind for w in weights_of(lab_model(name), checked(name).model.anatomy)}
    assert "other" not in kinds.values()
    convolutions = {kind for parameter, kind in kinds.items() if "canon" in parameter}
    assert convolutions == ({"convolution"} if "rich" in name else set())
    assert {kind for parameter, kind in kinds.items() if "position" in parameter} <= {"position"}


@pytest.mark.parametrize("name", ["rotary-plain", "relative-rich", "uniform-plain", "masked-rotary-rich"])
def test_a_saved_model_is_an_ordinary_snapshot(name, tmp_path):
    save_model(lab_model(name, torch.float32), VOCABULARY, tmp_path)
    model = load_snapshot(tmp_path, LoadOptions(dtype="float64", task=task_of(name)))
    ids = torch.tensor([IDS])
    with torch.no_grad():
        kept = deepcopy(lab_model(name, torch.float32)).double()(ids).logits
        assert torch.equal(model.module(ids).logits, kept)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "internal_physics_lab"


def test_the_tokenizer_begins_with_the_end_sign_and_splits_at_blanks(tmp_path):
    save_model(lab_model("rotary-plain", torch.float32), VOCABULARY, tmp_path)
    model = load_snapshot(tmp_path, LoadOptions())
    (encoded,) = encode_prompts(model, [Prompt("p", "w3 w0  w11")])
    assert encoded.ids == (END_ID, *VOCABULARY.ids(["w3", "w0", "w11"]))


class TestRunning:
    def test_token_losses_are_minus_log_probabilities(self):
        model, tokens = lab_model("rotary-plain", torch.float32, "sdpa"), np.array([IDS, IDS[::-1]])
        with torch.no_grad():
            logs = functional.log_softmax(model(torch.tensor(tokens)).logits, -1)
        expected = [[-float(logs[b, t - 1, tokens[b, t]]) for t in range(1, 7)] for b in range(2)]
        found = token_losses_nats(model, tokens, rows_per_pass=1)
        assert np.allclose(found[:, 1:], expected, atol=1e-5)
        assert not found[:, 0].any()

    def test_the_best_continuation_is_that_of_transformers(self):
        model, prompts = lab_model("rotary-plain", torch.float32, "sdpa"), np.array([IDS, IDS[::-1]])
        theirs = model.generate(torch.tensor(prompts), max_new_tokens=8, do_sample=False, use_cache=False)[:, 7:]
        ours = continue_rows(model, prompts, 8)
        assert np.array_equal(ours[:, : theirs.shape[1]], theirs.numpy())

    def test_draws_depend_on_the_seed_and_follow_the_distribution(self):
        model = lab_model("rotary-plain", torch.float32, "sdpa")
        prompts = np.tile(IDS, (4000, 1))
        drawn = continue_rows(model, prompts, 1, seed=5)[:, 0]
        assert np.array_equal(drawn, continue_rows(model, prompts, 1, seed=5)[:, 0])
        with torch.no_grad():
            p = model(torch.tensor([IDS])).logits[0, -1].softmax(-1).numpy()
        shares = np.bincount(drawn, minlength=len(p)) / len(drawn)
        assert np.abs(shares - p).max() < 5 * np.sqrt(p.max() / len(drawn))  # five standard errors

    def test_padding_follows_the_end_of_a_row(self):
        model = lab_model("rotary-plain", torch.float32, "sdpa")
        new = continue_rows(model, np.tile(IDS, (40, 1)), 15, seed=1)
        ended = [row for row in new if END_ID in row]
        assert ended
        for row in ended:
            end = list(row).index(END_ID)
            assert (row[end + 1 :] == 1).all()


def test_loading_a_lab_model_of_a_training(tmp_path):
    save_model(lab_model("uniform-rich", torch.float32), VOCABULARY, tmp_path)
    model = load_model(tmp_path)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert next(model.parameters()).dtype == torch.float32
