"""The check on loading tests the task: later tokens change earlier residuals of a masked model only."""

from collections.abc import Callable
from pathlib import Path

import internal_physics as ip
import pytest
import torch
import transformers as T
from cases import case
from internal_physics.ground.errors import SEE_ARCHITECTURES, ArchitectureError, ModelError
from internal_physics.models.loading import LoadedModel, LoadOptions, load_snapshot, wrap_model
from internal_physics.recording.selfcheck import check_model
from tiny_models import ARCHITECTURES, CAUSAL_CONFIGS, MASKED_CONFIGS, build_model, build_tokenizer, save_snapshot
from torch import nn
from trained_bert import save_trained_bert

_WIDTHS = {"vocab_size": 97, "hidden_size": 64, "intermediate_size": 128}
SIZES = {**_WIDTHS, "num_hidden_layers": 3, "num_attention_heads": 4}
HALVES = (torch.bfloat16, torch.float16)
SEES_LATER = "this model sees later tokens"
DOES_NOT = "this model does not see later tokens"
NEITHER = "it is neither causal nor masked"


def bert_as_causal(**config: object) -> nn.Module:
    torch.manual_seed(0)
    return T.BertLMHeadModel(T.BertConfig(**SIZES, attn_implementation="eager", **config))


def refusal(module: nn.Module, task: str = "causal") -> ArchitectureError:
    with pytest.raises(ArchitectureError) as error:
        check_model(wrap_model(module, None, task))
    return error.value


def attending(mask: Callable[[int], torch.Tensor], dtype: torch.dtype = torch.float32) -> nn.Module:
    """A llama with the attention mask `mask(t)`, [t, t]."""
    model = build_model("llama", dtype)

    def replace(_module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        n_tokens = args[0].shape[1]
        closed = torch.zeros(n_tokens, n_tokens, dtype=dtype).masked_fill(~mask(n_tokens), torch.finfo(dtype).min)
        return args, {**kwargs, "attention_mask": closed.expand(len(args[0]), 1, -1, -1)}

    for layer in model.model.layers:
        layer.register_forward_pre_hook(replace, with_kwargs=True)
    return model


def prefix(n_tokens: int) -> torch.Tensor:
    mask = torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()
    mask[:3, :3] = True
    return mask


def blocks_of_two(n_tokens: int) -> torch.Tensor:
    block = torch.arange(n_tokens) // 2
    return block[:, None] >= block[None]


def saved(folder: Path, module: T.PreTrainedModel, masked: bool) -> Path:
    module.save_pretrained(folder)
    build_tokenizer(masked).save_pretrained(folder)
    return folder


# --- accepted models -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_passes_for_its_task_in_half_precision_too(name, dtype):
    """Full precision is tested by every other test, because all of them load their models with the check."""
    task = "masked" if name in MASKED_CONFIGS else "causal"
    assert check_model(wrap_model(build_model(name, dtype), None, task)).model.task == task


@pytest.mark.parametrize("quantization", ["int8", "nf4", "fp4"])
@pytest.mark.parametrize("task", ["causal", "masked"])
def test_quantised_models_pass_for_their_task_only(tmp_path, task, quantization):
    masked = task == "masked"
    torch.manual_seed(0)
    module = T.BertForMaskedLM(T.BertConfig(**SIZES)) if masked else T.LlamaForCausalLM(T.LlamaConfig(**SIZES))
    loaded = load_snapshot(
        saved(tmp_path, module, masked), LoadOptions(quantization=quantization, task=task, device="cpu")
    )
    assert check_model(loaded).model.task == task
    other = "causal" if masked else "masked"
    with pytest.raises(ArchitectureError, match=SEES_LATER if masked else DOES_NOT):
        check_model(LoadedModel(loaded.module, None, loaded.anatomy, other, prompts_interact=loaded.prompts_interact))


def test_llm_int8_moves_earlier_tokens_by_rounding_and_is_known_to_be_causal(tmp_path):
    """A later token with an outlier excludes its column from rounding for all tokens of the pass."""
    torch.manual_seed(0)
    module = T.LlamaForCausalLM(T.LlamaConfig(**SIZES))
    with torch.no_grad():
        module.model.embed_tokens.weight[90, 7] = 50  # after the norm this value is 8: above LLM.int8's threshold of 6
    loaded = load_snapshot(saved(tmp_path, module, False), LoadOptions(quantization="int8", device="cpu"))
    first = [residual_of_first_token(loaded.module, ids) for ids in ([20, 30, 40], [20, 30, 90])]
    moved = (first[1] - first[0]).norm() / first[0].norm()
    assert 1e-6 < moved < 0.1  # rounding; seen: 6e-3
    assert check_model(loaded).model.task == "causal"


def residual_of_first_token(module: nn.Module, ids: list[int]) -> torch.Tensor:
    caught = []
    handle = module.model.layers[-1].register_forward_hook(lambda _m, _a, output: caught.append(output[0, 0]))
    with torch.enable_grad():
        module(torch.tensor([ids]))
    handle.remove()
    return caught[0].detach()


def test_mixed_experts_are_causal():
    torch.manual_seed(0)
    config = T.MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=4, attn_implementation="eager")
    assert check_model(wrap_model(T.MixtralForCausalLM(config), None)).model.task == "causal"


# --- refused models --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES], ids=str)
def test_a_masked_model_without_its_task_is_refused_with_what_to_write(dtype):
    error = refusal(bert_as_causal().to(dtype))
    assert error.what == SEES_LATER
    assert error.where == "BertLMHeadModel, task: causal"
    assert error.todo == "set task: masked"


def test_a_task_that_transformers_has_no_class_for_is_not_recommended():
    """XLNet sees all tokens of a prompt, and there is no masked XLNet."""
    torch.manual_seed(0)
    error = refusal(T.XLNetLMHeadModel(T.XLNetConfig(vocab_size=97, d_model=32, n_layer=2, n_head=4, d_inner=64)))
    assert error.what == SEES_LATER
    assert error.todo == f"transformers has no masked class of this type: {SEE_ARCHITECTURES}"


def test_the_same_model_as_a_decoder_is_causal_and_nothing_else():
    assert check_model(wrap_model(bert_as_causal(is_decoder=True), None)).model.task == "causal"
    error = refusal(T.BertForMaskedLM(T.BertConfig(**SIZES, is_decoder=True, attn_implementation="eager")), "masked")
    assert error.what == DOES_NOT
    assert error.where == "BertForMaskedLM, task: masked"
    assert error.todo == "set task: causal"


@pytest.mark.parametrize("name", CAUSAL_CONFIGS)
def test_no_causal_model_passes_as_masked(name):
    assert refusal(case(name).module, "masked").what == DOES_NOT


@pytest.mark.parametrize("task", ["causal", "masked"])
@pytest.mark.parametrize("mask", [prefix, blocks_of_two])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_model_that_is_neither_causal_nor_masked_is_refused(mask, task, dtype):
    assert NEITHER in refusal(attending(mask, dtype), task).what


def test_looking_one_token_ahead_is_detected():
    """Each token sees one token ahead, so the first sees only some of the later tokens."""
    assert NEITHER in refusal(attending(lambda n: torch.ones(n, n, dtype=torch.bool).tril(1))).what


def test_a_choice_that_later_tokens_make_without_a_gradient_is_detected():
    """For example if experts choose their tokens from the whole prompt."""

    model, seen = build_model("llama"), {}
    model.model.embed_tokens.register_forward_hook(lambda _m, args, _o: seen.update(ids=args[0]))

    def choose(_module: nn.Module, _args: tuple, output: torch.Tensor) -> torch.Tensor:
        chosen = (seen["ids"] == 72).any(dim=1)  # the last token of the check
        return output * (1 + 0.1 * chosen)[:, None, None]

    model.model.layers[1].mlp.register_forward_hook(choose)
    assert refusal(model).what == SEES_LATER


# --- from files ------------------------------------------------------------------------------------


def test_a_trained_masked_model_is_refused_as_causal_and_runs_as_masked(tmp_path):
    folder = save_trained_bert(tmp_path / "bert")
    with pytest.raises(ArchitectureError, match=SEES_LATER):
        ip.load(str(folder))
    assert ip.load(str(folder), task="masked").task == "masked"


@pytest.mark.parametrize(
    ("name", "task", "todo"),
    [("llama", "masked", "set task: causal"), ("distilbert", "causal", "set task: masked")],
)
def test_a_model_without_a_head_for_the_task_is_refused_with_the_task_to_set(tmp_path, name, task, todo):
    folder = save_snapshot(tmp_path / name, name)
    with pytest.raises(ModelError) as error:
        load_snapshot(folder, LoadOptions(task=task, device="cpu"))
    assert error.value.what == f"transformers has no {task} language model of type {name}"
    assert error.value.todo == todo


@pytest.mark.parametrize("task", ["causal", "masked"])
def test_an_encoder_decoder_is_refused(tmp_path, task):
    config = T.T5Config(vocab_size=97, d_model=32, d_ff=64, num_layers=2, num_heads=4)
    folder = saved(tmp_path, T.T5ForConditionalGeneration(config), False)
    with pytest.raises(ModelError) as error:
        load_snapshot(folder, LoadOptions(task=task, device="cpu"))
    assert error.value.what == f"transformers has no {task} language model of type t5"
    assert "encoder-decoders, are not supported" in error.value.expected
