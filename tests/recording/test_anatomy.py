"""Anatomy: found without names; weights that are not recorded are named; and the model is left unchanged."""

import numpy as np
import pytest
import torch
import transformers as T
from cases import (
    EVERY,
    EVERY_ID,
    case,
    check,
    encoded,
    llama,
    question,
    record,
    recorded,
    relative,
    worst_difference,
)
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.readout import readout
from internal_physics.recording.recorder import RecordOptions, record_batch
from internal_physics.recording.selfcheck import check_model
from oracles import BLOCK_LISTS, blocks_of, dense_gradients
from tiny_models import ARCHITECTURES, build_model, task_of
from tolerances import GRADIENT
from torch import nn
from torch.nn import functional
from torch.overrides import _len_torch_function_stack

every_name = pytest.mark.parametrize("name", ARCHITECTURES)


def n_hooks(module: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(m, kind)) for m in module.modules() for kind in kinds)


# --- what is found ---------------------------------------------------------------------------------


@every_name
def test_blocks_width_and_maps_are_found(name):
    tiny = case(name)
    anatomy = tiny.model.anatomy
    assert anatomy.blocks_path == BLOCK_LISTS[type(tiny.module).__name__]
    assert anatomy.blocks(tiny.module) is blocks_of(tiny.module)
    assert (anatomy.n_layers, anatomy.width) == (len(blocks_of(tiny.module)), 32)
    matrices = {n: tuple(p.shape) for n, p in tiny.module.named_parameters() if p.ndim >= 2}
    assert {m.parameter: m.shape for m in anatomy.maps} == matrices
    assert anatomy.unmapped == ()


@every_name
def test_layers_of_maps_follow_their_place(name):
    anatomy = case(name).model.anatomy
    for m in anatomy.maps:
        if m.site.startswith(f"{anatomy.blocks_path}."):
            assert m.layer == int(m.site.split(".")[anatomy.blocks_path.count(".") + 1])
        else:
            assert m.layer == (-1 if m.lookup else anatomy.n_layers)
    inside = [m.layer for m in anatomy.maps if 0 <= m.layer < anatomy.n_layers]
    assert set(inside) == set(range(anatomy.n_layers))
    assert len({inside.count(layer) for layer in set(inside)}) == 1  # all blocks alike


@every_name
def test_every_weight_is_reached(name):
    assert case(name).checked.unreached == ()


def test_positions_are_passed_to_models_that_count_from_zero():
    """RoBERTa counts from its padding id; falcon, bloom and distilbert take no positions, or ignore them."""
    assert case("gpt2").model.explicit_positions
    assert case("llama").model.explicit_positions
    assert not case("roberta").model.explicit_positions
    assert not case("bloom").model.explicit_positions


@pytest.mark.parametrize(("name", "dtype"), EVERY, ids=EVERY_ID)
def test_readout_of_the_last_residual_gives_the_logits_to_the_last_bit(name, dtype):
    tiny = case(name, dtype)
    prompt = tiny.encoded[2]
    with torch.no_grad():
        logits = tiny.module(torch.tensor([prompt.ids])).logits
    residual = torch.from_numpy(
        recorded(name, dtype, batch_size=1)[prompt.prompt.name].residual(tiny.model.anatomy.n_layers)
    )
    output = _output_of_first_block(tiny.module, prompt.ids)
    with torch.no_grad():
        again = readout(
            tiny.module, tiny.model.anatomy, residual[None], n_members=len(output) if isinstance(output, tuple) else 0
        )
    assert torch.equal(again, logits)


def test_blocks_that_return_a_list_are_read_too():
    torch.manual_seed(0)
    config = T.OpenAIGPTConfig(vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    loaded = check(T.OpenAIGPTLMHeadModel(config).double()).model
    prompt = encoded("p", (7, 9, 11, 13))
    trace = record(loaded, [prompt])["p"]
    _, gradients = dense_gradients(loaded.module, question("causal", prompt))
    assert set(trace.parameters) == set(gradients)
    assert max(relative(trace.gradient(p).dense(), g) for p, g in gradients.items()) <= GRADIENT["float64"]


def test_the_blocks_of_a_model_that_takes_images_are_those_of_its_text():
    """Its vision tower has a list of as many blocks, which no text runs through."""
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = T.Gemma3Config(
        text_config={**size, "vocab_size": 97, "num_key_value_heads": 2, "head_dim": 8},
        vision_config={**size, "model_type": "siglip_vision_model", "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
    )
    loaded = check(T.Gemma3ForConditionalGeneration(config).double()).model
    assert loaded.anatomy.blocks_path == "model.language_model.layers"
    prompt = encoded("p", (7, 9, 11, 13))
    trace = record(loaded, [prompt])["p"]
    _, gradients = dense_gradients(loaded.module, question("causal", prompt))
    assert set(trace.parameters) == set(gradients)
    assert max(relative(trace.gradient(p).dense(), g) for p, g in gradients.items()) <= GRADIENT["float64"]


def test_the_two_shapes_of_block_output_are_both_among_the_tiny_models():
    kinds = {type(_output_of_first_block(case(name).module, (7, 8, 9))) for name in ARCHITECTURES}
    assert kinds == {tuple, torch.Tensor}


def _output_of_first_block(module: nn.Module, ids: tuple[int, ...]) -> object:
    caught = []
    handle = blocks_of(module)[0].register_forward_hook(lambda _m, _a, output: caught.append(output))
    with torch.no_grad():
        module(torch.tensor([ids]))
    handle.remove()
    return caught[0]


# --- the tests compare something --------------------------------------------------------------------


@every_name
def test_hooks_fire_and_catch_something(name):
    """Guards against comparisons of empty results."""
    tiny = case(name)
    trace = recorded(name, "float32")["long"]
    assert len(tiny.model.anatomy.maps) == sum(len(trace.parameter(p).uses) for p in trace.parameters)
    assert len(trace.parameters) >= 4 * trace.n_layers + 1
    residuals, gradients = trace.residuals(), trace.residual_gradients()
    assert residuals.shape == gradients.shape == (trace.n_layers + 1, trace.n_tokens, 32)
    assert (np.linalg.norm(residuals, axis=-1) > 0).all()
    reaches = slice(None, -1) if task_of(name) == "causal" else slice(None)  # the last token predicts nothing
    assert (np.linalg.norm(gradients[:-1, reaches], axis=-1) > 0).all()
    assert all(np.isfinite(tensor).all() for tensor in trace.tensors.values())
    for layer in range(trace.n_layers):
        assert relative(residuals[layer + 1], residuals[layer]) > 1e-3
        assert relative(gradients[layer + 1], gradients[layer]) > 1e-3
    assert all(trace.gradient(p).norm() > 0 for p in trace.parameters)


def test_a_causal_loss_leaves_the_last_token_of_the_last_residual_without_gradient():
    gradient = recorded("llama", "float32")["long"].residual_gradient(3)
    assert not gradient[-1].any()
    assert (np.linalg.norm(gradient[:-1], axis=-1) > 0).all()


# --- what is left behind ---------------------------------------------------------------------------


@every_name
def test_a_record_leaves_no_hook_no_gradient_and_no_change(name):
    model = build_model(name)
    before = {n: p.clone() for n, p in model.named_parameters()}
    loaded = check(model, task_of(name)).model
    prompts = case(name).encoded
    list(record(loaded, prompts).values())  # transformers installs hooks of its own when attentions are first asked for
    count, blocks, n_layers = n_hooks(model), list(blocks_of(model)), model.config.get_text_config().num_hidden_layers
    for kept in ("factors", "norms", "none"):
        record(loaded, prompts, weight_gradients=kept)
    check_model(loaded)
    assert n_hooks(model) == count
    assert list(blocks_of(model)) == blocks
    assert model.config.get_text_config().num_hidden_layers == n_layers
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    assert _len_torch_function_stack() == 0
    assert torch.is_grad_enabled()


def test_a_checked_model_without_attentions_has_no_hook_at_all():
    model = build_model("llama")
    record(check(model).model, case("llama").encoded, attention_entropy=False)
    assert n_hooks(model) == 0


@pytest.mark.parametrize("name", ["llama", "gemma2", "opt"])
def test_a_pass_that_fails_leaves_nothing_behind(name):
    """gemma2 and opt have embeddings whose look-ups are watched: this must end with the pass."""
    model = build_model(name)
    loaded = check(model).model
    with pytest.raises(IndexError):
        record_batch(loaded, [encoded("p", (5, 10**6, 7))], RecordOptions(attention_entropy=False))
    assert n_hooks(model) == 0
    assert _len_torch_function_stack() == 0
    tiny = case(name)
    again = record(loaded, tiny.encoded)
    assert all(worst_difference(again[p], recorded(name, "float32")[p])[0] == 0 for p in again)


def test_a_refused_model_has_no_hook_left():
    model = build_model("llama")
    model.model.layers[1].register_forward_pre_hook(lambda _m, args: (args[0] * 1.5, *args[1:]))
    with pytest.raises(ArchitectureError):
        check(model)
    assert n_hooks(model) == 1


def test_recording_works_where_gradients_are_switched_off():
    tiny = case("llama")
    with torch.no_grad():
        traces = record(tiny.model, tiny.encoded)
    assert all(worst_difference(traces[p], recorded("llama", "float32")[p])[0] == 0 for p in traces)


# --- what is named ---------------------------------------------------------------------------------


class Sidecar(T.LlamaForCausalLM):
    """A low-rank map applied as a plain function, without a module to hook."""

    def __init__(self, config):
        super().__init__(config)
        self.down = nn.Parameter(0.1 * torch.randn(4, 32))
        self.up = nn.Parameter(0.1 * torch.randn(32, 4))
        self.model.norm.register_forward_hook(
            lambda _m, _a, h: h + functional.linear(functional.linear(h, self.down), self.up)
        )


def test_a_weight_without_a_module_is_exact_too():
    checked = check(llama(Sidecar).double())
    assert checked.unreached == ()
    prompt = encoded("p", (7, 9, 11, 13))
    trace = record(checked.model, [prompt])["p"]
    _, gradients = dense_gradients(checked.model.module, question("causal", prompt))
    assert set(gradients) == set(trace.parameters)
    assert max(relative(trace.gradient(p).dense(), gradients[p]) for p in trace.parameters) <= GRADIENT["float64"]


class Woven(T.LlamaForCausalLM):
    """A weight too large to be kept whole, of which one use is no product with a matrix."""

    def __init__(self, config):
        super().__init__(config)
        self.wide = nn.Parameter(0.01 * torch.randn(2**15 + 1, 32))
        self.model.norm.register_forward_hook(lambda _m, _a, h: h + functional.linear(h, self.wide)[..., :32])
        self.model.norm.register_forward_hook(lambda _m, _a, h: h * (1 + self.wide.square().mean()))


def test_a_weight_of_which_a_use_is_not_seen_is_named_and_the_others_are_exact():
    checked = check(llama(Woven).double())
    assert checked.model.coverage.partial == ("wide",)
    assert checked.unreached == ("wide",)
    assert 0 < checked.model.coverage.share < 0.1
    prompt = encoded("p", (7, 9, 11, 13))
    trace = record(checked.model, [prompt])["p"]
    _, gradients = dense_gradients(checked.model.module, question("causal", prompt))
    assert set(gradients) - set(trace.parameters) == {"wide"}
    assert max(relative(trace.gradient(p).dense(), gradients[p]) for p in trace.parameters) <= GRADIENT["float64"]


@pytest.mark.parametrize(("encoder_layers", "decoder_layers"), [(2, 3), (3, 2), (4, 2)])
def test_a_decoder_alone_has_the_number_of_blocks_of_its_own(encoder_layers, decoder_layers):
    """BART as a causal model: num_hidden_layers of its config counts the blocks of the encoder, which is not there."""
    sizes = {"decoder_ffn_dim": 64, "decoder_attention_heads": 4, "encoder_layers": encoder_layers}
    torch.manual_seed(0)
    model = T.BartForCausalLM(T.BartConfig(vocab_size=97, d_model=32, decoder_layers=decoder_layers, **sizes))
    model.config.use_cache = False  # transformers makes a cache for as many blocks as the encoder has
    checked = check(model.double())
    assert checked.model.anatomy.n_layers == decoder_layers
    prompt = encoded("p", (7, 9, 11, 13))
    trace = record(checked.model, [prompt])["p"]
    _, gradients = dense_gradients(model, question("causal", prompt))
    assert max(relative(trace.gradient(p).dense(), gradients[p]) for p in trace.parameters) <= GRADIENT["float64"]


@pytest.mark.parametrize(
    ("model_class", "config", "what"),
    [
        (
            T.DebertaV2ForMaskedLM,
            lambda: T.DebertaV2Config(
                **{"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
                **{"intermediate_size": 48, "conv_kernel_size": 3, "conv_act": "gelu"},
            ),
            "with conv_kernel_size: 3, a convolution changes the stream between block 0 and block 1",
        ),
        (
            T.FlaubertWithLMHeadModel,
            lambda: T.FlaubertConfig(vocab_size=97, emb_dim=32, n_layers=2, n_heads=4, pre_norm=True),
            "with pre_norm: True, transformers itself cannot run such a model",
        ),
    ],
    ids=["deberta", "flaubert"],
)
def test_a_setting_for_which_a_model_is_refused_is_named(model_class, config, what):
    """docs/architectures.md says that their classes work, and lists these settings."""
    torch.manual_seed(0)
    with pytest.raises(ArchitectureError) as error:
        check(model_class(config()), task="masked")
    assert error.value.what == what
    assert error.value.where == model_class.__name__


def test_maps_that_the_loss_does_not_reach_are_named():
    """A BART decoder used alone never attends to an encoder."""
    sizes = {"decoder_layers": 2, "encoder_layers": 2, "decoder_ffn_dim": 64, "decoder_attention_heads": 4}
    config = T.BartConfig(vocab_size=97, d_model=32, **sizes)
    torch.manual_seed(0)
    unreached = check(T.BartForCausalLM(config)).unreached
    assert len(unreached) == 8
    assert all("encoder_attn" in name for name in unreached)
