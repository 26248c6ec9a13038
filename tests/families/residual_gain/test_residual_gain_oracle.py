"""Residual gain against plain forward hooks, on every tiny architecture and SmolLM2."""

from functools import cache

import numpy as np
import pytest
import torch
from internal_physics.config.prompts import Prompt
from internal_physics.families.residual_gain.residual_gain import next_token_entropy_nats, residual_gain, top_tokens
from internal_physics.models.loading import wrap_model
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from oracles import blocks_of
from tiny_models import ARCHITECTURES, CAUSAL_CONFIGS, build_model, build_tokenizer, task_of

TOLERANCE = 1e-5
TEXTS = {"causal": ("the cat sat on a mat", "Two"), "masked": ("the cat [MASK] on a mat", "[MASK] wo")}


def hooked_residuals(module, ids):
    """What enters the first block and what leaves each, [L + 1, T, d]; and the logits [T, V], one prompt alone."""
    blocks, found = blocks_of(module), {}

    def entering(_block, args, kwargs):
        found[0] = args[0] if args else kwargs["hidden_states"]

    def leaving(layer):
        def hook(_block, _args, output):
            found[layer] = output[0] if isinstance(output, tuple) else output

        return hook

    hooks = [blocks[0].register_forward_pre_hook(entering, with_kwargs=True)]
    hooks += [block.register_forward_hook(leaving(i)) for i, block in enumerate(blocks, start=1)]
    with torch.no_grad():
        output = module(input_ids=torch.tensor([ids]), output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    residuals = torch.stack([found[i][0] for i in range(len(blocks) + 1)]).double().numpy()
    return residuals, output.logits[0].double(), output.hidden_states[-1][0].double().numpy()


def check(trace, model, ids, read_position):
    residuals, logits, _ = hooked_residuals(model.module, ids)
    log_p = logits[read_position].log_softmax(-1)
    parts = {
        "whole": residuals,
        "last_position": residuals[:, [read_position]],
        "excluding_first": residuals[:, 1:],
    }
    for variant, part in parts.items():
        norms = np.sqrt((part**2).sum(axis=(1, 2)))
        gain = residual_gain(trace, variant)
        np.testing.assert_allclose(gain.norms, norms, rtol=TOLERANCE)
        np.testing.assert_allclose(gain.gains, norms[1:] / norms[:-1], rtol=TOLERANCE)
        assert gain.expands == (norms[-1] > norms[-2])
    assert next_token_entropy_nats(trace) == pytest.approx(float(-(log_p.exp() * log_p).sum()), rel=TOLERANCE)
    expected = log_p.exp().topk(5)
    assert [token.probability for token in top_tokens(trace)] == pytest.approx(expected.values.tolist(), rel=1e-4)
    texts = [model.tokenizer.decode([i]) or f"token {i}" for i in expected.indices.tolist()]
    assert [token.text for token in top_tokens(trace)] == texts


def recorded(model, texts):
    encoded = [encode(Prompt(f"p{i}", text), model.tokenizer, model.task, None) for i, text in enumerate(texts)]
    traces = record_batches(model, encoded, RecordOptions(weight_gradients="none"))
    by_name = {trace.info.prompt: trace for trace in traces}
    return [(by_name[e.prompt.name], e) for e in encoded]


@cache
def tiny(name):
    task = task_of(name)
    return check_model(wrap_model(build_model(name), build_tokenizer(task == "masked"), task)).model


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_equals_hooks_on_every_architecture(name):
    model = tiny(name)
    for trace, prompt in recorded(model, TEXTS[task_of(name)]):
        check(trace, model, prompt.ids, prompt.read_position)


@pytest.mark.parametrize("name", CAUSAL_CONFIGS)
def test_the_last_residual_is_taken_before_the_final_norm(name):
    """transformers' last hidden state comes after it, and would give another last gain."""
    model = tiny(name)
    ((trace, prompt),) = recorded(model, TEXTS["causal"][:1])
    residuals, _, normed = hooked_residuals(model.module, prompt.ids)
    gain = residual_gain(trace)
    assert gain.norms[-1] == pytest.approx(np.linalg.norm(residuals[-1]), rel=TOLERANCE)
    assert abs(np.linalg.norm(normed) / gain.norms[-1] - 1) > 100 * TOLERANCE


def test_equals_hooks_on_smollm2(smollm2):
    import internal_physics as ip

    model = ip.load(str(smollm2))
    texts = ("The capital of France is", "Table sky run blue jump quickly under over")
    for trace, prompt in recorded(model, texts):
        check(trace, model, prompt.ids, prompt.read_position)
    _, _, normed = hooked_residuals(model.module, prompt.ids)
    assert abs(np.linalg.norm(normed) / residual_gain(trace).norms[-1] - 1) > 0.01
    paris = recorded(model, texts[:1])[0][0]
    assert top_tokens(paris)[0].text == " Paris"
