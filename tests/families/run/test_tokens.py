"""Readable tokens: the texts of the tokenizer's own decoder in one line, with special tokens marked."""

import json

import pytest
from internal_physics.families.run.tokens import Spelling, read_spelling, readable
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = "Ein Café für 5 €, naïve\nwords — and “quotes”\t𝛼"
BYTES = Spelling(is_byte_level=True)


@pytest.fixture(scope="module")
def byte_level():
    """A byte-level tokenizer that has merged the words of the text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|end|>"])
    tokenizer.train_from_iterator([TEXT] * 9, trainer)
    return tokenizer


@pytest.mark.parametrize("text", [TEXT, "𝛼𝛽 and ° or ­ (soft hyphen)"])
def test_byte_level_tokens_are_decoded_as_the_tokenizer_decodes_them(byte_level, text):
    encoded = byte_level.encode(text)
    expected = [byte_level.decode([i], skip_special_tokens=False) for i in encoded.ids]
    shown = [readable([token], BYTES) for token in encoded.tokens]
    assert len(expected) > 10
    assert shown == [e.replace("\n", "\\n").replace("\t", "\\t").replace("\xad", "\\xad") for e in expected]
    assert ("�" in "".join(expected)) == (text != TEXT)  # a token may hold part of a character


def test_tokens_are_joined_in_one_line_with_special_ones_marked():
    spelling = Spelling(special=frozenset({"[CLS]", "<s>"}))
    assert readable(["[CLS]", "the", "##y", "a\nb"], spelling) == "⟨[CLS]⟩|the|##y|a\\nb"
    assert readable(["<s>", "▁the", "▁▁x"], spelling) == "⟨<s>⟩| the|  x"
    assert readable([], spelling) == ""


def test_text_that_looks_like_a_special_token_stays_text_if_the_record_says_so():
    spelling = Spelling(special=frozenset({"<s>"}))
    assert readable(["<s>", "a", "<s>"], spelling, special=(0,)) == "⟨<s>⟩|a|<s>"
    assert readable(["<s>", "a"], spelling, special=()) == "<s>|a"


def test_an_added_token_of_a_byte_level_tokenizer_is_its_own_text():
    assert readable(["Ġthe", "a text with spaces"], BYTES) == " the|a text with spaces"


def test_the_spelling_is_read_from_the_tokenizers_files(byte_level, tmp_path):
    byte_level.save(str(tmp_path / "tokenizer.json"))
    assert read_spelling(tmp_path) == Spelling(frozenset({"<|end|>"}), is_byte_level=True)


def test_a_byte_level_decoder_is_found_among_others(tmp_path):
    nested = {
        "type": "Sequence",
        "decoders": [{"type": "Fuse"}, {"type": "Sequence", "decoders": [{"type": "ByteLevel"}]}],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps({"decoder": nested}))
    assert read_spelling(tmp_path).is_byte_level
    (tmp_path / "tokenizer.json").write_text(json.dumps({"decoder": {"type": "WordPiece"}}))
    assert not read_spelling(tmp_path).is_byte_level


def test_special_tokens_are_named_in_several_places(tmp_path):
    decoder = {"0": {"content": "<pad>", "special": True}, "9": {"content": "<image>", "special": False}}
    config = {"added_tokens_decoder": decoder, "bos_token": "<s>", "unk_token": None, "add_bos_token": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "</s>"}}))
    assert read_spelling(tmp_path).special == {"<pad>", "<s>", "</s>"}


def test_a_snapshot_without_these_files_has_no_special_tokens(tmp_path):
    assert read_spelling(tmp_path) == Spelling()
