"""The self-check: a model that does not compute what its module tree says is refused in plain words."""

import pytest
import torch
import transformers as T
from cases import LLAMA, check, encoded, llama, question, record, relative
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import find_anatomy
from internal_physics.models.loading import wrap_model
from oracles import dense_gradients
from tiny_models import build_model
from tolerances import GRADIENT
from torch import nn
from torch.nn import functional


def test_a_residual_changed_between_blocks_is_refused():
    """For example by a steering hook that another tool left on a block."""
    model = llama()
    model.model.layers[1].register_forward_pre_hook(lambda _m, args: (args[0] * 1.5, *args[1:]))
    with pytest.raises(ArchitectureError, match="what leaves block 0 is not what enters block 1"):
        check(model)


def test_a_residual_changed_in_place_is_refused():
    model = llama()
    block = model.model.layers[1]
    forward = block.forward

    def in_place(hidden, *args, **kwargs):
        return forward(hidden.mul_(1.5), *args, **kwargs)

    block.forward = in_place
    with pytest.raises(ArchitectureError, match="residual 1 is changed in place"):
        check(model)
    with pytest.raises(ArchitectureError, match="residual 1 is changed in place"):
        record(wrap_model(model, None), [encoded("p", (7, 8, 9))])


def test_a_block_that_never_runs_is_refused():
    class Lazy(T.LlamaForCausalLM):
        def forward(self, *args, **kwargs):
            every = self.model.layers
            self.model.layers = every[:-1]
            try:
                return super().forward(*args, **kwargs)
            finally:
                self.model.layers = every

    with pytest.raises(ArchitectureError, match="was not seen, or does not reach the loss, at layers"):
        check(llama(Lazy))


def test_blocks_without_a_backward_pass_are_refused():
    """For example a kernel made for inference only."""
    model = llama()
    block = model.model.layers[1]
    forward = block.forward
    block.forward = lambda hidden, *args, **kwargs: forward(hidden.detach(), *args, **kwargs)
    with pytest.raises(ArchitectureError, match="the residual stream carries no gradient at layer 2"):
        check(model)


def test_a_loss_that_does_not_see_the_last_block_is_refused():
    class EarlyExit(T.LlamaForCausalLM):
        """Reads out the input of the last block, whose output is not used."""

        def __init__(self, config):
            super().__init__(config)
            self.model.layers[-1].register_forward_pre_hook(lambda _m, args: self.__dict__.update(exit=args[0]))
            self.model.norm.register_forward_pre_hook(lambda _m, _args: (self.__dict__.pop("exit"),))

    with pytest.raises(ArchitectureError, match=r"was not seen, or does not reach the loss, at layers \[3\]"):
        check(llama(EarlyExit))


def test_logits_that_differ_from_the_readout_are_refused():
    """A shortcut from the tokens to the logits, past the blocks."""

    class Shortcut(T.LlamaForCausalLM):
        def forward(self, input_ids, **kwargs):
            output = super().forward(input_ids, **kwargs)
            output.logits = output.logits + functional.one_hot(input_ids, 97)
            return output

    with pytest.raises(ArchitectureError, match=r"readout\(residual\[L\]\) against the logits is off by"):
        check(llama(Shortcut))


def test_a_model_whose_logits_depend_on_later_tokens_is_refused():
    """Its blocks do not, so only a prompt and its beginning show it."""

    class Centered(T.LlamaForCausalLM):
        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            output.logits = output.logits - output.logits.mean(dim=1, keepdim=True)
            return output

    with pytest.raises(ArchitectureError, match="this model sees later tokens"):
        check(llama(Centered))


def test_prompts_run_alone_in_a_model_whose_batch_changes_them(caplog):
    """Refused it would be a model less; in a batch its numbers would be those of no prompt."""

    class OverTheBatch(T.LlamaForCausalLM):
        def forward(self, *args, **kwargs):
            output = super().forward(*args, **kwargs)
            output.logits = output.logits * output.logits.abs().mean(dim=0, keepdim=True)
            return output

    caplog.set_level("INFO", "internal_physics")
    assert not check(llama()).model.prompts_interact
    model = check(llama(OverTheBatch).double()).model
    assert model.prompts_interact
    assert "each prompt runs alone" in caplog.text
    prompts = [encoded("a", (7, 9, 11, 13)), encoded("b", (5, 6))]
    traces = record(model, prompts, batch_size=16)
    for prompt in prompts:
        loss, gradients = dense_gradients(model.module, question("causal", prompt))
        assert traces[prompt.prompt.name].loss_nats == pytest.approx(loss, abs=1e-12)
        found = {p: traces[prompt.prompt.name].gradient(p).dense() for p in gradients}
        assert max(relative(found[p], g) for p, g in gradients.items()) <= GRADIENT["float64"]


def test_a_prompt_that_is_not_finite_beside_a_padded_one_runs_alone():
    """The largest of a number and NaN is the number, if it comes first."""
    model = llama()
    forward = model.forward

    def broken(*args, attention_mask, **kwargs):
        found = forward(*args, attention_mask=attention_mask, **kwargs)
        if not attention_mask.all():
            found.logits = torch.cat([torch.full_like(found.logits[:1], torch.nan), found.logits[1:]])
        return found

    model.forward = broken
    assert check(model).model.prompts_interact


def test_a_linear_map_that_does_more_than_multiply_is_recorded_as_the_product_in_it():
    """For example an adapter that is not merged."""

    class Adapted(nn.Linear):
        def forward(self, x):
            return 1.1 * super().forward(x)

    model = llama().double()
    model.model.layers[2].mlp.up_proj.__class__ = Adapted
    assert_exact(model)


def test_an_embedding_that_does_more_than_look_up_is_recorded_as_the_rows_in_it():
    class Squashed(nn.Embedding):
        def forward(self, ids):
            return super().forward(ids).tanh()

    model = llama().double()
    model.model.embed_tokens.__class__ = Squashed
    with torch.no_grad():
        model.model.embed_tokens.weight *= 50
    assert_exact(model)


def assert_exact(module: nn.Module) -> None:
    checked, prompt = check(module), encoded("p", (7, 9, 11, 13))
    assert checked.unreached == ()
    trace = record(checked.model, [prompt])["p"]
    _, gradients = dense_gradients(module, question("causal", prompt))
    assert set(trace.parameters) == set(gradients)
    assert max(relative(trace.gradient(p).dense(), g) for p, g in gradients.items()) <= GRADIENT["float64"]


def xlm_changed_between_its_blocks() -> nn.Module:
    model = T.XLMWithLMHeadModel(T.XLMConfig(vocab_size=97, emb_dim=32, n_layers=2, n_heads=4))
    model.transformer.attentions[1].register_forward_pre_hook(lambda _m, args: (args[0] * 1.5, *args[1:]))
    return model


CPM_ANT = {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2}
CPM_ANT |= {"dim_head": 8, "dim_ff": 64, "prompt_length": 3}


@pytest.mark.parametrize(
    ("model", "task", "said"),
    [
        (lambda: T.LlamaModel(T.LlamaConfig(**LLAMA)), "causal", "no output embedding"),
        (
            lambda: T.T5ForConditionalGeneration(
                T.T5Config(vocab_size=97, d_model=32, d_ff=64, num_layers=2, num_heads=4)
            ),
            "causal",
            "the self-check failed: ValueError: You must specify exactly one of input_ids",
        ),
        (
            xlm_changed_between_its_blocks,
            "masked",
            "what leaves block 0 is not what enters block 1",
        ),
        (
            lambda: T.XLNetLMHeadModel(T.XLNetConfig(vocab_size=97, d_model=32, n_layer=2, n_head=4, d_inner=64)),
            "causal",
            "this model sees later tokens",
        ),
        (
            lambda: T.CpmAntForCausalLM(T.CpmAntConfig(**CPM_ANT)),
            "causal",
            "tokens that the model adds to a prompt take part in the loss",
        ),
    ],
    ids=[
        "no-head",
        "encoder-decoder",
        "changed-between-blocks-in-parts",
        "sees-both-ways",
        "tokens-of-its-own",
    ],
)
def test_an_architecture_that_does_not_fit_is_refused_by_name(model, task, said):
    module = model().eval()
    with pytest.raises(ArchitectureError, match=said) as refused:
        check(module, task)
    assert str(refused.value).startswith(type(module).__name__)


def test_a_model_without_layers_is_refused():
    module = build_model("llama")
    module.config = T.PretrainedConfig()
    with pytest.raises(ArchitectureError, match="num_hidden_layers"):
        find_anatomy(module)
