"""Residual streams that are more than one vector of a token, that lie in another way, or pass one block many times."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import transformers as T
from cases import SIZES, check, encoded, question, record, relative
from internal_physics.ground.errors import ConfigError
from internal_physics.models.readout import Readout, with_stream
from internal_physics.models.stream import PADDED, PLAIN, Stream, stream_of
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.steering.intervention import Edit, Steering
from oracles import dense_gradients
from tolerances import GRADIENT, GRADIENT_FLOAT32_INSIDE
from torch import nn

from benchmarks.architectures.examine import build

FLOAT32_ROUTER = {"hyper_connected"}
BATCH = 1e-9  # relative, float64: rotations in float32 round alike in both, sums of other shapes do not
BATCH_FLOAT32_INSIDE = 1e-6  # routers and mixed streams in float32: inputs that differ in the last bit may round apart


def hyper_connected() -> nn.Module:
    """Four streams of 32 beside each other (DeepSeek V4, HY-V4)."""
    return build("hy_v4", "causal", "float32")


def alternating() -> nn.Module:
    """Four streams of 32 in front of the prompts (AltUp in Gemma 3n)."""
    return build("gemma3n_text", "causal", "float32")


def albert(n_groups: int = 1) -> nn.Module:
    """Six runs of one block, or three runs each of two."""
    config = {**SIZES, "num_hidden_layers": 6, "embedding_size": 16, "attn_implementation": "eager"}
    return T.AlbertForMaskedLM(T.AlbertConfig(**config, num_hidden_groups=n_groups))


def longformer() -> nn.Module:
    """Padded to a window of 24. In float32, because its mask overflows in float64."""
    return T.LongformerForMaskedLM(T.LongformerConfig(**SIZES, attention_window=24, max_position_embeddings=64))


def bart() -> nn.Module:
    """An encoder before the blocks, which are the decoder's."""
    sizes = {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    layers = {"encoder_layers": 2, "decoder_layers": 3, "max_position_embeddings": 64}
    config = T.BartConfig(vocab_size=97, d_model=32, pad_token_id=0, bos_token_id=2, eos_token_id=3, **sizes, **layers)
    return T.BartForConditionalGeneration(config)


def squeezebert() -> nn.Module:
    """Features before tokens, convolutions in place of linear maps, blocks that return a dict and run past hooks."""
    groups = dict.fromkeys(("q_groups", "k_groups", "v_groups", "intermediate_groups", "output_groups"), 2)
    return T.SqueezeBertForMaskedLM(T.SqueezeBertConfig(**SIZES, **groups, embedding_size=32))


def xlm() -> nn.Module:
    """Attentions, norms and feed-forward maps in a list each; padding is cleared in place."""
    sizes = {"vocab_size": 97, "emb_dim": 32, "n_layers": 3, "n_heads": 4, "max_position_embeddings": 64}
    return T.XLMWithLMHeadModel(T.XLMConfig(**sizes, pad_index=0, pad_token_id=0, n_langs=1))


BUILT = {
    "xlm": (xlm, "masked", 3, 32),
    "squeezebert": (squeezebert, "masked", 3, 32),
    "bart": (bart, "masked", 3, 32),
    "longformer": (longformer, "masked", 3, 32),
    "hyper_connected": (hyper_connected, "causal", 2, 128),
    "alternating": (alternating, "causal", 4, 128),
    "albert": (albert, "masked", 6, 32),
    "albert_of_two_groups": (lambda: albert(2), "masked", 6, 32),
}


def dtype_of(name: str) -> torch.dtype:
    return torch.float32 if name == "longformer" else torch.float64


def tolerance_of(name: str) -> float:
    if name in FLOAT32_ROUTER:
        return GRADIENT_FLOAT32_INSIDE
    return GRADIENT[str(dtype_of(name)).removeprefix("torch.")]


@cache
def model_of(name: str):
    torch.manual_seed(0)
    make, task, *_ = BUILT[name]
    module = make().to(dtype_of(name)).eval()
    with torch.no_grad():
        for p in module.parameters():
            p += 0.05 * torch.randn_like(p)
    return check(module, task).model


def prompts_of(name: str):
    task = BUILT[name][1]
    return [encoded(n, ids, task) for n, ids in {"a": (7, 9, 11, 13, 8, 40, 12), "b": (5, 6, 9)}.items()]


# --- how a stream lies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "shape"),
    [
        (PLAIN, (2, 5, 32)),
        (Stream(1, 0, (32,)), (5, 2, 32)),
        (Stream(0, 1, (4, 8)), (2, 5, 4, 8)),
        (Stream(1, 2, (4, 8)), (4, 2, 5, 8)),
        (Stream(2, 0, (4, 8)), (5, 4, 2, 8)),
        (Stream(0, 2, (32,)), (2, 32, 5)),
        (Stream(0, 1, (16,), per_token=2), (2, 10, 16)),
    ],
)
def test_a_residual_survives_the_way_into_a_block_and_back(stream, shape):
    residual = torch.randn(2, 5, 32)
    folded = stream.fold(residual)
    assert tuple(folded.shape) == stream.shape(2, 5, 32) == shape
    assert torch.equal(stream.unfold(folded), residual)


def test_a_token_keeps_its_numbers_together():
    """Two streams of three numbers: those of token 1 of prompt 0 stand one after the other."""
    hidden = torch.arange(2 * 1 * 4 * 3).reshape(2, 1, 4, 3)  # streams, prompts, tokens, width
    assert Stream(1, 2, (2, 3)).unfold(hidden)[0, 1].tolist() == [3, 4, 5, 15, 16, 17]


@pytest.mark.parametrize(
    ("shapes", "stream"),
    [
        ([(2, 5, 32), (3, 7, 32)], Stream(0, 1, (32,))),
        ([(5, 2, 32), (7, 3, 32)], Stream(1, 0, (32,))),
        ([(4, 2, 5, 32), (4, 3, 7, 32)], Stream(1, 2, (4, 32))),
        ([(2, 15, 32), (3, 21, 32)], Stream(0, 1, (32,), 3)),
        ([(2, 8, 32), (3, 8, 32)], PADDED),  # a window of eight
        ([(2, 7, 32), (3, 9, 32)], PADDED),  # two tokens more: whether they are padding is for the gradients to say
        ([(2, 4, 32), (3, 4, 32)], None),  # pooled
        ([(10, 32), (21, 32)], None),
    ],
)
def test_where_prompts_and_tokens_are_is_read_from_two_passes(shapes, stream):
    assert stream_of(shapes, ((2, 5), (3, 7)), 32) == stream


# --- what is recorded -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT)
def test_every_gradient_equals_autograd_and_a_batch_equals_each_prompt_alone(name):
    model, prompts = model_of(name), prompts_of(name)
    _, task, n_layers, width = BUILT[name]
    assert (model.anatomy.n_layers, model.anatomy.width) == (n_layers, width)
    alone, batched = record(model, prompts, batch_size=1), record(model, prompts, batch_size=2)
    for prompt in prompts:
        trace, other = alone[prompt.prompt.name], batched[prompt.prompt.name]
        loss, gradients = dense_gradients(model.module, question(task, prompt))
        assert trace.loss_nats == pytest.approx(loss, abs=1e-12 if dtype_of(name) == torch.float64 else 1e-6)
        expected = by_matrix(gradients, trace.parameters)
        assert set(trace.parameters) >= set(expected)
        errors = {p: relative(trace.gradient(p).dense(), g) for p, g in expected.items()}
        assert max(errors.values()) <= tolerance_of(name)
        assert trace.residuals().shape == (n_layers + 1, len(prompt.ids), width)
        batch = BATCH_FLOAT32_INSIDE if name in FLOAT32_ROUTER else BATCH
        assert relative(other.residuals(), trace.residuals()) <= batch
        assert relative(other.residual_gradients(), trace.residual_gradients()) <= batch


def by_matrix(gradients: dict[str, np.ndarray], recorded) -> dict[str, np.ndarray]:
    """Gradients that are not zero, those of a stack (experts) cut into its matrices as they are recorded."""
    cut = {}
    for name, gradient in gradients.items():
        is_stack = any(p.startswith(f"{name}[") for p in recorded)
        cut |= {f"{name}[{e}]": g for e, g in enumerate(gradient)} if is_stack else {name: gradient}
    return {name: g for name, g in cut.items() if g.any()}


@pytest.mark.parametrize("name", BUILT)
def test_the_readout_of_the_last_residual_gives_the_logits(name):
    model, (prompt, _) = model_of(name), prompts_of(name)
    trace = record(model, [prompt])["a"]
    with torch.no_grad():
        logits = model.module(torch.tensor([prompt.ids])).logits[0]
    found = Readout(model.module, model.anatomy).logits(trace.residual(model.anatomy.n_layers))
    assert relative(found.numpy(), logits.numpy()) <= 1e-6  # residuals are kept in float32


@pytest.mark.parametrize("name", ["hyper_connected", "alternating", "albert", "xlm"])
def test_a_step_along_the_recorded_gradient_changes_the_loss_by_its_square(name):
    """Steering moves the stream that the blocks see, and the gradient is that of the whole stream."""
    model, (prompt, _) = model_of(name), prompts_of(name)
    layer, trace = 1, record(model, [prompt])["a"]
    gradient = trace.residual_gradients()[layer].astype(np.float64)
    direction = gradient[-2] / np.linalg.norm(gradient[-2])
    step = 1e-3
    weights = [0.0] * (len(prompt.ids) - 2) + [1.0, 0.0]
    moved = [steered_loss(model, prompt, layer, sign * step * direction, weights) for sign in (1, -1)]
    slope = (moved[0] - moved[1]) / (2 * step)
    assert slope == pytest.approx(np.linalg.norm(gradient[-2]), rel=1e-3)  # seen: 1e-4, of a router in float32


def steered_loss(model, prompt, layer: int, vector: np.ndarray, weights: list[float]) -> float:
    steering = Steering({layer: (Edit(vector),)}, tuple(weights))
    (trace,) = record_batches(model, [prompt], RecordOptions(weight_gradients="none"), steering)
    return trace.loss_nats


def test_a_block_that_runs_many_times_has_one_gradient_the_sum_over_its_runs():
    """And a residual for every run; its weights stand at the place of the block in the list."""
    model, (prompt, _) = model_of("albert"), prompts_of("albert")
    trace = record(model, [prompt])["a"]
    (info,) = [p for p in trace.info.parameters if p.name.endswith("attention.query.weight")]
    assert (len(info.uses), info.layer) == (6, 0)


# --- the readout without blocks ---------------------------------------------------------------------


def test_the_stream_is_found_without_running_a_block():
    model = model_of("alternating")
    blocks = model.anatomy.blocks(model.module)
    handles = [block.register_forward_pre_hook(lambda *_: pytest.fail("a block ran")) for block in blocks]
    try:
        found = with_stream(model.module, replace(model.anatomy, stream=PLAIN, width=32))
    finally:
        for handle in handles:
            handle.remove()
    assert found == model.anatomy
    assert found.stream == Stream(1, 2, (4, 32))
    assert model.anatomy.blocks(model.module) is blocks


def test_steering_before_blocks_in_parts_is_refused_and_after_them_felt():
    model, (prompt, _) = model_of("xlm"), prompts_of("xlm")
    baseline, n = record(model, [prompt])["a"].loss_nats, len(prompt.ids)
    with pytest.raises(ConfigError, match="goes past it too"):
        steered_loss(model, prompt, 0, np.ones(32), [1.0] * n)
    assert abs(steered_loss(model, prompt, 1, np.ones(32), [1.0] * n) - baseline) > 1e-4
