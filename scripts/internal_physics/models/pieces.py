"""A SentencePiece model that transformers has converted: how it treats spaces, and whether it cuts texts as it should.

A class of transformers that knows its model converts it well. The general class, which transformers takes where a
config names none, and for Mistral, forgets the space that SentencePiece puts before a text, so that a first word
would be cut in another way.

sentencepiece is imported where it is used: only a folder with such a model needs it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, normalizers
from transformers import PreTrainedTokenizerBase, TokenizersBackend
from transformers.convert_slow_tokenizer import import_protobuf

from internal_physics.ground.errors import ModelError

SPACE = "▁"
_N_WORDS, _WORDS_PER_TEXT = 64, 8
_UNKNOWN = "\ue000"  # of no alphabet: U+E000 is for private use


def set_spaces(tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    """Give a tokenizer of the general class the treatment of spaces that its SentencePiece model names."""
    if type(tokenizer) is not TokenizersBackend:
        return
    rules = _normalizer_rules(file)
    backend = tokenizer.backend_tokenizer
    changes: list[Any] = []
    if rules.precompiled_charsmap:
        changes.append(normalizers.Precompiled(rules.precompiled_charsmap))
    if rules.remove_extra_whitespaces:
        changes += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    if rules.add_dummy_prefix:
        changes.append(normalizers.Prepend(SPACE))
        backend.decoder = decoders.Sequence([backend.decoder, decoders.Fuse(), decoders.Strip(" ", left=1)])
    backend.normalizer = normalizers.Sequence([*changes, normalizers.Replace(" ", SPACE)])


def require_same_pieces(tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    """Refuse a tokenizer that cuts a text in another way than its SentencePiece model.

    The texts are words of the model's vocabulary and a character that it does not have. Ids may differ: some models
    number their pieces anew.

    Args:
        tokenizer: the converted tokenizer.
        file: the SentencePiece model.

    Raises:
        ModelError: with both results.
    """
    processor = _processor(file)
    unknown = processor.id_to_piece(processor.unk_id())
    for text in _texts(processor):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        found = [unknown if token == tokenizer.unk_token else token for token in tokenizer.convert_ids_to_tokens(ids)]
        expected = [processor.id_to_piece(i) for i in processor.encode(text)]
        if found != expected:
            raise ModelError(
                f"transformers reads it as a {type(tokenizer).__name__}, which cuts {text!r} into {_shown(found)}, "
                f"and SentencePiece cuts it into {_shown(expected)}",
                where=str(file),
                expected="the same tokens",
                todo="set tokenizer_class in tokenizer_config.json to the model's own, or put the model's "
                "tokenizer.json beside it",
            )


def _texts(processor: Any) -> Iterator[str]:
    """Words of the vocabulary, some to a text; then a word and a character that is unknown."""
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size()) if _is_normal(processor, i)]
    words = [word for piece in pieces if (word := piece.removeprefix(SPACE)).isalpha()]
    words = [word for word in words if word.isascii()] or words  # accents may be left out by intent
    words = words[:: -(-len(words) // _N_WORDS) or 1]
    yield from (" ".join(words[i : i + _WORDS_PER_TEXT]) for i in range(0, len(words), _WORDS_PER_TEXT))
    yield " ".join([*words[:1], _UNKNOWN])


def _is_normal(processor: Any, i: int) -> bool:
    return not (processor.is_control(i) or processor.is_unknown(i) or processor.is_unused(i) or processor.is_byte(i))


def _shown(pieces: list[str]) -> str:
    return "·".join(map(str, pieces))


def _processor(file: Path) -> Any:
    from sentencepiece import SentencePieceProcessor  # noqa: PLC0415

    return SentencePieceProcessor(model_file=str(file))


def _normalizer_rules(file: Path) -> Any:
    model: Any = import_protobuf().ModelProto()
    model.ParseFromString(file.read_bytes())
    return model.normalizer_spec
