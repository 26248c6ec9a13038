"""SentencePiece models in a folder. No heavy imports."""

from pathlib import Path

TOKENIZER = "tokenizer.json"
_FIRST_FIELD = b"\x0a"  # a SentencePiece model begins with its first piece; tiktoken's files begin with text


def sentencepiece_files(folder: str | Path) -> list[Path]:
    """The SentencePiece models of a folder, sorted."""
    found = sorted(path for pattern in ("*.model", "*.spm") for path in Path(folder).glob(pattern) if path.is_file())
    return [path for path in found if _first_byte(path) == _FIRST_FIELD]


def sentencepiece_file(folder: str | Path) -> Path | None:
    """The SentencePiece model that a folder's tokenizer is made of; None where it has a tokenizer.json, or several."""
    found = [] if (Path(folder) / TOKENIZER).is_file() else sentencepiece_files(folder)
    return found[0] if len(found) == 1 else None


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as content:
        return content.read(1)
