"""Token ids that run: special tokens not doubled and not at the end, no truncation, no id without an embedding."""

import logging

import pytest
import transformers as T
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.recording.encoding import encode, encode_prompts, text_reader
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.token_ids import TextReader
from internal_physics.records.info import TraceInfo
from tiny_models import build_tokenizer
from token_texts import BOTH, EXPLICIT, NONE, checked, refused, tokens
from tokenizers import AddedToken
from tokenizers_of_kinds import around, byte_level, chat, sentencepiece

# --- special_tokens: tokenizer----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokenizer", "text", "token"),
    [
        (around("[CLS] $A", bos_token="[CLS]"), "[CLS]the cat", "[CLS]"),
        (around("[CLS] $A"), "[CLS]the cat", "[CLS]"),
        (around("[CLS] $A", bos_token="[CLS]"), "[CLS]", "[CLS]"),
        (around("[CLS] $A", bos_token="[CLS]"), " [CLS]the cat", "[CLS]"),
        (around("[CLS] $A", bos_token="[CLS]"), "a cat. [CLS]the cat", "[CLS]"),
        (around("[CLS] [MASK] $A"), "[CLS]the cat", "[CLS]"),
        (sentencepiece(), "<s>the cat", "<s>"),
        (sentencepiece(), "<s> the cat", "<s>"),
        (byte_level(add_bos_token=True), "<|endoftext|>the cat", "<|endoftext|>"),
    ],
)
def test_a_text_with_a_special_token_that_the_tokenizer_adds_is_refused(tokenizer, text, token):
    if token == "<|endoftext|>":
        tokenizer.update_post_processor()
    error = refused(text, tokenizer)
    assert error.what == f"{token!r} is doubled: the tokenizer adds it, and the text brings its own"
    assert error.expected == f"a text without {token!r}"
    assert error.todo == f"delete it from the text, or {BOTH}"


@pytest.mark.parametrize(("text", "token"), [("[CLS]a [MASK]", "[CLS]"), ("a [MASK][SEP]", "[SEP]")])
def test_a_masked_text_with_such_tokens_is_refused_too(text, token):
    error = refused(text, build_tokenizer(masked=True), "masked")
    assert error.what.startswith(f"{token!r} is doubled")


def test_a_separator_within_a_masked_text_is_accepted():
    found = encode(Prompt("p", "a[SEP]b[MASK]"), build_tokenizer(masked=True), "masked", None)
    assert found.tokens == ("[CLS]", "a", "[SEP]", "b", "[MASK]", "[SEP]")
    assert found.special == (0, 2, 4, 5)


def test_tokens_that_the_tokenizer_puts_before_a_text_run_and_are_marked():
    found = encode(Prompt("p", "the cat"), sentencepiece(), "causal", None)
    assert found.tokens[:2] == ("<s>", "▁t")
    assert found.special == (0,)
    assert found.read_position == len(found.ids) - 1


@pytest.mark.parametrize(
    "tokenizer",
    [
        around("$A [SEP]", eos_token="[SEP]"),
        around("[CLS] $A [SEP]"),
        around("$A [SEP] [CLS]"),
        sentencepiece(eos=True),
    ],
)
def test_tokens_appended_to_a_causal_text_are_left_out(tokenizer):
    """The prediction is read where the text ends, and the loss includes no end token that the text does not have."""
    found = encode(Prompt("p", "abc"), tokenizer, "causal", None)
    assert found.tokens[found.read_position] == "c"
    assert found.tokens == tuple(tokenizer.convert_ids_to_tokens(tokenizer("abc")["input_ids"]))[: len(found.tokens)]


def test_add_eos_token_saved_by_a_training_script_does_not_move_the_prediction(tmp_path):
    byte_level(add_eos_token=True).save_pretrained(tmp_path)
    tokenizer = T.AutoTokenizer.from_pretrained(tmp_path, add_eos_token=True)
    assert tokenizer("ab")["input_ids"][-1] == tokenizer.eos_token_id
    assert tokens("ab", tokenizer) == ("a", "b")


def test_tokens_that_are_left_out_are_reported(caplog):
    model = checked(tokenizer=around("[CLS] $A [SEP]"))
    with caplog.at_level(logging.WARNING, logger="internal_physics"):
        encode_prompts(model, [Prompt("p", "ab"), Prompt("q", "cd")])
    assert [record.getMessage() for record in caplog.records] == [
        "the tokenizer appends [SEP], which is left out: the prediction is read where the text ends"
    ]


@pytest.mark.parametrize(
    ("tokenizer", "text"),
    [
        (around("$A", eos_token="[SEP]"), "the cat[SEP]"),
        (around("$A [SEP]"), "the cat[SEP]"),
        (byte_level(), "the cat<|endoftext|>"),
        (byte_level(), "<|endoftext|>"),
        (sentencepiece(), "the cat</s>"),
    ],
)
def test_a_causal_text_that_ends_the_text_is_refused(tokenizer, text):
    error = refused(text, tokenizer)
    assert "so that the prediction would be read after its end" in error.what
    assert error.todo == f"delete it from the text, or, if it is meant, {BOTH}"


def test_a_begin_token_that_the_tokenizer_does_not_add_may_be_written():
    found = encode(Prompt("p", "<|endoftext|>ab"), byte_level(), "causal", None)
    assert found.tokens == ("<|endoftext|>", "a", "b")
    assert found.special == (0,)


def test_a_tokenizer_without_special_tokens_at_all():
    tokenizer = T.PreTrainedTokenizerFast(tokenizer_object=build_tokenizer().backend_tokenizer)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (None, None, None)
    found = encode(Prompt("p", "abc"), tokenizer, "causal", None)
    assert (found.tokens, found.special) == (("a", "b", "c"), ())


def test_an_unknown_word_is_not_a_special_token():
    found = encode(Prompt("p", "a€b"), build_tokenizer(), "causal", None)
    assert found.tokens == ("a", "[UNK]", "b")
    assert found.special == ()


@pytest.mark.parametrize("tokenizer", [build_tokenizer(), around("[CLS] $A [SEP]"), byte_level()])
def test_an_empty_text_is_refused(tokenizer):
    error = refused("", tokenizer)
    assert error.what == "the text '' has no tokens"


def llama_tokenizer() -> T.LlamaTokenizer:
    pieces = ["<unk>", "<s>", "</s>", "▁", *"abcdefghijklmnopqrstuvwxyz<>/"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    return T.LlamaTokenizer(vocab=vocabulary, merges=[], add_bos_token=True, add_eos_token=True)


@pytest.mark.parametrize(
    ("tokenizer", "before", "text", "end"),
    [(llama_tokenizer(), ("<s>", "▁"), "ab", "</s>"), (T.ByT5Tokenizer(), (), "ab", "</s>")],
    ids=["llama", "byt5"],
)
def test_tokenizers_of_transformers(tokenizer, before, text, end):
    """One of the Rust library, with both flags that training scripts set, and one in Python that appends an end
    token."""
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])[-1] == end
    assert tokens(text, tokenizer) == (*before, "a", "b")
    plain = tuple(token for token in before if token != "<s>")
    assert tokens(text, tokenizer, options=EXPLICIT) == tokens(text, tokenizer, options=NONE) == (*plain, "a", "b")
    assert tokens(text + end, tokenizer, options=EXPLICIT)[-1] == end
    assert tokens(text + end, tokenizer, options=NONE)[-4:] == tuple(end)
    assert "read after its end" in refused(text + end, tokenizer).what


# --- none and explicit -----------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", [around("[CLS] $A [SEP]"), sentencepiece(eos=True), byte_level()])
@pytest.mark.parametrize("options", [NONE, EXPLICIT])
def test_nothing_is_added(tokenizer, options):
    found = encode(Prompt("p", "abc"), tokenizer, "causal", None, options)
    assert found.special == ()
    assert found.ids == tuple(tokenizer("abc", add_special_tokens=False)["input_ids"])


def test_explicit_runs_the_special_tokens_of_the_text():
    found = encode(Prompt("p", "[CLS]the cat[SEP]"), around("[CLS] $A [SEP]"), "causal", None, EXPLICIT)
    assert found.tokens == ("[CLS]", *"the cat", "[SEP]")
    assert (found.special, found.read_position) == ((0, 8), 8)


def test_an_explicit_masked_text_needs_its_own_special_tokens():
    tokenizer = build_tokenizer(masked=True)
    assert tokens("[CLS]a[MASK][SEP]", tokenizer, "masked", EXPLICIT) == ("[CLS]", "a", "[MASK]", "[SEP]")
    assert tokens("a[MASK]", tokenizer, "masked", EXPLICIT) == ("a", "[MASK]")


def test_none_reads_a_special_token_in_the_text_as_text():
    found = encode(Prompt("p", "<|endoftext|>"), byte_level(), "causal", None, NONE)
    assert found.tokens == tuple("<|endoftext|>")


def test_none_refuses_special_tokens_that_cannot_be_read_as_text():
    """A unigram model has <s> among its pieces, and finds it in plain text as well."""
    error = refused("<s>a", sentencepiece(), options=NONE)
    assert error.what == "the text writes the special token '<s>', and special_tokens is none"


def test_the_choice_for_one_prompt_does_not_affect_the_next():
    """`none` changes the tokenizer itself, which must be restored for the next text."""
    tokenizer = byte_level()
    before = tokens("<|endoftext|>ab", tokenizer)
    tokens("<|endoftext|>ab", tokenizer, options=NONE)
    assert tokens("<|endoftext|>ab", tokenizer) == before


def test_explicit_reads_special_tokens_whatever_the_tokenizer_was_saved_with():
    tokenizer = byte_level()
    tokenizer.split_special_tokens = True
    assert tokens("<|endoftext|>ab", tokenizer, options=EXPLICIT) == ("<|endoftext|>", "a", "b")
    assert tokens("<|endoftext|>ab", tokenizer)[:2] == ("<", "|")


@pytest.mark.parametrize("options", [TextOptions(), EXPLICIT, NONE, TextOptions(chat_template=True)])
def test_a_part_of_a_character_is_refused(options):
    assert refused("a \ud83d cat", chat(), options=options).what == "the text holds '\\ud83d', half a character"


def test_tokens_that_are_bytes_are_written_as_text():
    class OfBytes:
        """Like the tokenizers of models older than those of transformers."""

        all_special_ids, added_tokens_decoder, unk_token_id = [], {}, None

        def __call__(self, text, **_):
            return {"input_ids": list(text.encode())}

        def convert_ids_to_tokens(self, ids):
            return [bytes([i]) for i in ids]

    found = TextReader(OfBytes(), "causal", EXPLICIT).read("aé", "prompt")
    assert found.tokens == ("a", "�", "�")


def test_none_keeps_the_mask_and_refuses_others_around_it():
    tokenizer = build_tokenizer(masked=True)
    assert tokens("a[MASK]", tokenizer, "masked", NONE) == ("a", "[MASK]")
    error = refused("[CLS]a[MASK]", tokenizer, "masked", NONE)
    assert error.what == "the text writes the special token '[CLS]', and special_tokens is none"
    assert error.todo == "delete it from the text, or set special_tokens: explicit"


@pytest.mark.parametrize("options", [NONE, EXPLICIT])
def test_a_single_token_has_no_loss_in_any_mode(options):
    assert refused("a", build_tokenizer(), options=options).what.startswith("1 token: there is no next token")


def test_a_begin_token_alone_has_no_loss():
    assert refused("[CLS]", around("[CLS] $A"), options=EXPLICIT).what.startswith("1 token: there is no next token")


# --- what the record says --------------------------------------------------------------------------


def test_a_record_says_which_tokens_are_special():
    model = checked(tokenizer=around("[CLS] $A", bos_token="[CLS]"))
    (trace,) = record_batches(model, encode_prompts(model, [Prompt("p", "ab")]), RecordOptions())
    assert trace.info.tokens == ("[CLS]", "a", "b")
    assert trace.info.special_positions == (0,)
    assert TraceInfo.from_json(trace.info.to_json()) == trace.info


def test_an_older_record_does_not_know_special_tokens():
    model = checked()
    (trace,) = record_batches(model, encode_prompts(model, [Prompt("p", "ab")]), RecordOptions())
    assert trace.info.special_positions == ()
    old = trace.info.to_json()
    del old["special_positions"]
    assert TraceInfo.from_json(old).special_positions is None


def test_an_added_special_token_is_marked():
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([AddedToken("<turn>", special=True)])
    found = text_reader(checked(tokenizer=tokenizer)).read("a<turn>b", "p")
    assert found.tokens == ("a", "<turn>", "b")
    assert found.special == (1,)


def test_every_error_of_a_damaged_tokenizer_names_the_tokenizer_and_the_prompt():
    tokenizer = sentencepiece()
    tokenizer.model_max_length, tokenizer.name_or_path = "long", "folder/m"
    with pytest.raises(PromptError, match="the tokenizer of folder/m fails: '>' not supported") as error:
        encode(Prompt("p", "the cat"), tokenizer, "causal", None)
    assert error.value.where == "prompt 'p' ('the cat')"
