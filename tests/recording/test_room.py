"""Token ids, padding and text lengths that fit the model's tables, and those that do not."""

import pytest
import torch
import transformers as T
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.models.loading import wrap_model
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.token_ids import Room, TextReader
from tiny_models import build_model, build_tokenizer, task_of
from token_texts import EXPLICIT, NONE, checked, tokens


def with_more_tokens(n=40):
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([f"<extra_{i}>" for i in range(n)])
    return tokenizer


def test_a_token_beyond_the_embedding_is_named_with_its_prompt():
    model = checked(tokenizer=with_more_tokens())
    with pytest.raises(PromptError) as error:
        encode_prompts(model, [Prompt("good", "good"), Prompt("bad", "a <extra_39> b")])
    beyond = model.tokenizer.convert_tokens_to_ids("<extra_39>")
    assert error.value.where == "prompt 'bad' ('a <extra_39> b')"
    assert error.value.what == f"the token '<extra_39>' has id {beyond}, and the model's embedding table has 97 rows"


def test_an_added_token_with_a_row_in_the_embedding_runs():
    model = checked(tokenizer=with_more_tokens())
    (found,) = encode_prompts(model, [Prompt("p", "a<extra_1>b")])
    assert found.tokens == ("a", "<extra_1>", "b")
    list(record_batches(model, [found], RecordOptions()))


def test_tokens_that_the_head_cannot_predict_are_refused():
    reader = TextReader(build_tokenizer(), "causal", room=Room(n_embeddings=97, n_logits=10))
    with pytest.raises(PromptError, match="'z' has id 30, and the model's vocabulary of predictions has 10 rows"):
        reader.read("abz", "prompt")
    assert len(TextReader(build_tokenizer(True), "masked", room=Room(n_logits=10)).read("z[MASK]", "p").ids) == 4


def test_an_answer_that_the_model_cannot_predict_is_refused():
    tokenizer = build_tokenizer(masked=True)
    tokenizer.add_tokens([f"<extra_{i}>" for i in range(40)])
    model = checked("bert", tokenizer)
    with pytest.raises(PromptError, match=r"the token '<extra_39>' has id .*vocabulary of predictions has 97 rows"):
        encode_prompts(model, [Prompt("p", "a[MASK]", answer="<extra_39>")])


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert"])
def test_a_pad_token_beyond_the_embedding_pads_nothing_that_counts(name):
    tokenizer = build_tokenizer(task_of(name) == "masked")
    tokenizer.add_tokens([f"<extra_{i}>" for i in range(40)])
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    model = checked(name, tokenizer)
    assert tokenizer.pad_token_id > 97
    assert 0 <= model.pad_id < 97
    gap = "[MASK]" if task_of(name) == "masked" else ""
    prompts = encode_prompts(model, [Prompt("a", f"ab{gap}"), Prompt("b", f"a longer text{gap}")])
    own = checked(name)
    mine, theirs = ({t.info.prompt: t for t in record_batches(m, prompts, RecordOptions())} for m in (model, own))
    assert {p: t.loss_nats for p, t in mine.items()} == pytest.approx({p: t.loss_nats for p, t in theirs.items()})


@pytest.mark.parametrize("pad", [None, -1, 5, 96, 97, 10**9])
def test_padding_is_always_a_row_of_the_embedding(pad):
    class Named:
        pad_token_id = pad

    model = wrap_model(build_model("llama"), None)
    model.tokenizer = Named()
    assert model.pad_id == (pad if pad in (5, 96) else 0)


@pytest.mark.parametrize("saved", ["truncation", "padding"])
def test_truncation_and_padding_saved_with_the_tokenizer_are_ignored(tmp_path, saved):
    tokenizer = build_tokenizer()
    if saved == "truncation":
        tokenizer.backend_tokenizer.enable_truncation(max_length=8)
    else:
        tokenizer.backend_tokenizer.enable_padding(length=40)
    tokenizer.save_pretrained(tmp_path)
    again = T.AutoTokenizer.from_pretrained(tmp_path)
    text = "the cat sat on the mat"
    for options in (TextOptions(), NONE, EXPLICIT):
        assert tokens(text, again, options=options) == tuple(text)


@pytest.mark.parametrize("longest", [4, 512, int(1e30)])
def test_the_length_limit_is_that_of_the_model_not_of_the_tokenizer(longest):
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = longest
    assert tokens("the cat sat", tokenizer) == tuple("the cat sat")


@pytest.mark.parametrize(
    ("name", "rows", "room"),
    [("roberta", 66, 64), ("bert", 66, 66), ("gpt2", 64, 64), ("opt", 64, 64), ("llama", 2048, 2048)],
)
def test_the_context_is_limited_by_the_table_of_positions(name, rows, room):
    """RoBERTa numbers positions from 2: a table of 66 rows holds 64 tokens. OPT's table has two further rows."""
    module = build_model(name)
    if name in ("roberta", "bert"):
        config = (T.RobertaConfig if name == "roberta" else T.BertConfig)(
            vocab_size=97,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=rows,
            pad_token_id=1 if name == "roberta" else 0,
            attn_implementation="eager",
        )
        module = T.AutoModelForMaskedLM.from_config(config).eval()
    if name == "opt":
        module = T.AutoModelForCausalLM.from_config(
            T.OPTConfig(
                vocab_size=97,
                hidden_size=32,
                ffn_dim=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                word_embed_proj_dim=32,
                max_position_embeddings=rows,
            )
        ).eval()
    model = checked(name, module=module)
    assert model.context_length == room
    if room > 100:
        return
    ids = torch.full((1, room), 7)
    with torch.no_grad():
        module(ids, attention_mask=torch.ones_like(ids))
        with pytest.raises((IndexError, RuntimeError)):
            module(torch.full((1, room + 1), 7), attention_mask=torch.ones(1, room + 1, dtype=torch.long))
    gap, frame = ("[MASK]", 3) if task_of(name) == "masked" else ("", 0)
    (full,) = encode_prompts(model, [Prompt("full", "a" * (room - frame) + gap)])
    list(record_batches(model, [full], RecordOptions(weight_gradients="none")))
    with pytest.raises(PromptError) as error:
        encode_prompts(model, [Prompt("long", "a" * (room - frame + 1) + gap)])
    assert error.value.what == f"{room + 1} tokens"
    assert error.value.expected == f"at most {room}, the model's context"
