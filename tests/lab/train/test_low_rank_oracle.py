"""Low-rank training against two others of the same first numbers, batches and rates, in float64.

The first is slow and obvious: the factors stand beside the weights, which are never touched, and torch's AdamW changes
them. The second is the real peft, which is no dependency of the project: it runs where it is installed, and gives the
golden losses in any case.
"""

import importlib.util
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.lab.data.batches import Batch, predict_all
from internal_physics.lab.data.vocabulary import Vocabulary
from internal_physics.lab.models.build import build_model, lab_config
from internal_physics.lab.train.loop import train
from internal_physics.lab.train.low_rank import add_low_rank, without_low_rank
from torch import nn
from torch.nn import functional

N_WORDS, N_TOKENS, N_STEPS, RANK, TABLE_RANK = 18, 9, 12, 2, 4
VOCABULARY = Vocabulary.of(f"w{i}" for i in range(N_WORDS))
OPTIONS = TrainingOptions(learning_rate=0.05, weight_decay=0.1, clip_norm=0.5, low_rank=RANK, device="cpu")
TIED = LabModelOptions(layers=2, width=16, heads=2, context=N_TOKENS, norm="rms", biases=True, tied=True)
UNTIED = LabModelOptions(layers=2, width=16, heads=2, context=N_TOKENS, canon="A", biases=False, tied=False)
SAME = 1e-9  # relative: sums of float64 in another order, over twelve steps


@dataclass(frozen=True)
class Rows:
    """Words that follow one another by a fixed rule, without a random generator."""

    steps: int = N_STEPS
    vocabulary: Vocabulary = VOCABULARY
    tokens_per_row: int = N_TOKENS

    def at(self, step: int) -> Batch:
        words = np.arange(4 * N_TOKENS).reshape(4, N_TOKENS)
        return predict_all(2 + (words**2 * (step % 2 + 3) + 5 * words) % N_WORDS)


def first_model(options):
    """Weights by a formula, so that golden numbers depend on no random generator."""
    model = build_model(lab_config(options, VOCABULARY, N_TOKENS), seed=0).double()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(wave(parameter.shape, 0.37 + 0.011 * i, 0.4))
    return model


def wave(shape, step, size):
    n = torch.Size(shape).numel()
    return (size * torch.sin(step * torch.arange(1, n + 1, dtype=torch.float64) ** 2)).reshape(shape)


def by_the_lab(options, folder):
    """Losses, the first factors, and the trained model with them added."""
    model = first_model(options)
    factors = add_low_rank(model, rank=RANK, embedding_rank=TABLE_RANK, seed=0)
    model.double()
    with torch.no_grad():
        for i, right in enumerate(factors[1::2]):
            right.copy_(wave(right.shape, 0.53 + 0.017 * i, 0.3))
    first = [f.detach().clone() for f in factors]
    rows = train(model, Rows(), OPTIONS, folder=folder)
    return [row["loss_nats"] for row in rows], first, without_low_rank(model).double()


def adapted_maps(model):
    """The embedding, then queries, keys and values in the order of the model."""
    names = ("q_proj", "k_proj", "v_proj")
    maps = [m for name, m in model.named_modules() if isinstance(m, nn.Linear) and name.endswith(names)]
    return [model.get_input_embeddings(), *maps]


def put_beside(module, left, right):
    """Run a module with the product beside its weight, which stays as it is."""
    if isinstance(module, nn.Embedding):
        module.forward = lambda ids: functional.embedding(ids, module.weight) + functional.embedding(ids, left) @ right
    else:
        module.forward = lambda x: functional.linear(x, module.weight, module.bias) + (x @ right.T) @ left.T


def rate(step):
    """A line up over 5 % of the steps (here less than one), then half a cosine down to a tenth."""
    begin = 0.05 * N_STEPS
    if step < begin:
        return 0.05 * (step + 1)
    passed = (step - begin) / (N_STEPS - begin)
    return 0.05 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * passed)))


def trained_by_torch(model, factors):
    """Losses of a plain loop: torch's AdamW and torch's clipping."""
    optimizer = torch.optim.AdamW(factors, lr=1.0, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.1)
    losses = []
    for step in range(N_STEPS):
        tokens = torch.as_tensor(Rows().at(step).tokens)
        logits = model(tokens[:, :-1]).logits
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(factors, 0.5)
        optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("options", [TIED, UNTIED], ids=["tied", "untied"])
def test_losses_and_weights_are_those_of_factors_beside_the_weights(options, tmp_path):
    losses, first, added = by_the_lab(options, tmp_path)
    model = first_model(options).requires_grad_(False)
    factors = [f.clone().requires_grad_() for f in first]
    pairs = list(zip(factors[::2], factors[1::2], strict=True))
    before = [m.weight.clone() for m in adapted_maps(model)]
    for module, (left, right) in zip(adapted_maps(model), pairs, strict=True):
        put_beside(module, left, right)
    expected = trained_by_torch(model.train(), factors)
    assert losses == pytest.approx(expected, rel=SAME)
    assert losses[-2] < losses[0] - 0.05  # of the same rows: something was learned
    for module, weight, (left, right) in zip(adapted_maps(added), before, pairs, strict=True):
        torch.testing.assert_close(module.weight, weight + left @ right, rtol=1e-6, atol=1e-7)  # stored in float32


def by_peft(options, folder):
    """The same training by peft: alpha is the rank, so that the product is not scaled."""
    peft = importlib.import_module("peft")
    _, first, _ = by_the_lab(options, folder)
    model = first_model(options)
    names = {id(m): name for name, m in model.named_modules()}
    paths = [names[id(m)] for m in adapted_maps(model)]
    ranks = {paths[0]: TABLE_RANK}
    config = peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=paths, rank_pattern=ranks, alpha_pattern=ranks)
    wrapped = peft.get_peft_model(model, config)
    parameters = dict(wrapped.named_parameters())
    with torch.no_grad():
        for path, left, right in zip(paths, first[::2], first[1::2], strict=True):
            inside = f"base_model.model.{path}."
            if f"{inside}lora_embedding_A.default" in parameters:  # its table is [width, tokens]
                parameters[f"{inside}lora_embedding_A.default"].data = left.T.contiguous()
                parameters[f"{inside}lora_embedding_B.default"].data = right.T.contiguous()
            else:
                parameters[f"{inside}lora_A.default.weight"].data = right.clone()
                parameters[f"{inside}lora_B.default.weight"].data = left.clone()
    return trained_by_torch(wrapped.train(), [p for p in wrapped.parameters() if p.requires_grad])


# Losses of the first, sixth and last step by peft 0.21.2.
GOLDEN = {
    "tied": [2.9561610338981152, 3.021549804279918, 2.9513595816321136],
    "untied": [3.0566891461941386, 2.7636731894116977, 2.63618995398935],
}


@pytest.mark.parametrize(("name", "options"), [("tied", TIED), ("untied", UNTIED)])
def test_losses_are_those_of_peft(name, options, tmp_path):
    """Where peft is installed, it is run too."""
    found = [by_the_lab(options, tmp_path)[0]]
    if importlib.util.find_spec("peft") is not None:
        found.append(by_peft(options, tmp_path))
    for losses in found:
        assert [losses[0], losses[5], losses[-1]] == pytest.approx(GOLDEN[name], rel=1e-7)
