"""Tokenizer files that need a package which is not installed: a SentencePiece model, and tiktoken's list of ranks."""

import base64
import json
import struct
from pathlib import Path

PIECES = ("<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab")


def write_sentencepiece(folder: Path) -> Path:
    """A SentencePiece model of a few pieces, as Llama 2 and T5 have it, instead of the folder's tokenizer."""
    _without_tokenizer(folder)
    model = b"".join(_field(1, _piece(piece, -float(i), i)) for i, piece in enumerate(PIECES))
    (folder / "tokenizer.model").write_bytes(model + _field(2, b"\x18\x01"))  # trained as a unigram model
    return _class(folder, "LlamaTokenizer")


def write_tiktoken(folder: Path) -> Path:
    """Ranks of all bytes, as Llama 3's own release and Qwen 1 have it, instead of the folder's tokenizer."""
    _without_tokenizer(folder)
    ranks = [f"{base64.b64encode(bytes([i])).decode()} {i}\n" for i in range(256)]
    (folder / "tokenizer.model").write_text("".join(ranks))
    return _class(folder, "PreTrainedTokenizerFast")


def _without_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def _class(folder: Path, name: str) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))
    return folder


def _field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer, of bytes shorter than 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def _piece(text: str, score: float, index: int) -> bytes:
    kind = {0: 2, 1: 3, 2: 3}.get(index, 1)  # unknown, control, normal
    return _field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind])
