"""The tokenizer of a folder, as transformers reads it; one that is made of a SentencePiece model is checked."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from internal_physics.models.pieces import require_same_pieces, set_spaces
from internal_physics.models.sentencepiece_files import sentencepiece_file


def read_tokenizer(folder: str | Path, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder.

    A folder with a SentencePiece model and no tokenizer.json is converted by transformers. What comes out must cut
    texts as SentencePiece does.

    Raises:
        ModelError: if it does not.
        Exception: whatever transformers or SentencePiece raises for files that it cannot read.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=trust_remote_code)
    file = sentencepiece_file(folder)
    if file is not None and _is_made_of(tokenizer, file):
        set_spaces(tokenizer, file)
        require_same_pieces(tokenizer, file)
    return tokenizer


def _is_made_of(tokenizer: Any, file: Path) -> bool:
    """Whether a class of transformers had no other file to read: those that ignore the model would know no word."""
    if not type(tokenizer).__module__.startswith("transformers."):
        return False
    names = set(type(tokenizer).vocab_files_names.values()) - {file.name}
    return not any((file.parent / name).is_file() for name in names)
