"""Tiny models with a SentencePiece model instead of a tokenizer.json, trained here from seeded lines."""

import io
import json
import random
from functools import cache
from pathlib import Path

import sentencepiece
import torch
import transformers as T

_DICE = random.Random(0)
_WORDS = "the cat sat on a mat and good dogs ran over hills while seven birds sang old songs near water"
LINES = [" ".join(_DICE.choices(_WORDS.split(), k=8)) + "." for _ in range(300)]
_OFF = -1

# As published: Llama and Mistral, Gemma (no space before a text), ALBERT, XLM-RoBERTa.
LLAMA = {
    **{"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"},
    **{"remove_extra_whitespaces": False, "unk_id": 0, "bos_id": 1, "eos_id": 2},
}
GEMMA = LLAMA | {"add_dummy_prefix": False, "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}
UNIGRAM = {"model_type": "unigram", "unk_id": 0, "bos_id": 1, "eos_id": 2}
ALBERT = {
    **{"model_type": "unigram", "pad_id": 0, "unk_id": 1, "bos_id": _OFF, "eos_id": _OFF},
    "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
}


@cache
def _trained(settings: tuple[tuple[str, object], ...]) -> bytes:
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in settings}
    found = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=found, minloglevel=2, num_threads=1, **SMALL, **settings
    )
    return found.getvalue()


SMALL = {"vocab_size": 350, "hard_vocab_limit": False}  # 256 bytes, and all pieces that the words make


def trained(settings: dict[str, object]) -> bytes:
    """A SentencePiece model."""
    return _trained(tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in settings.items()))


def processor(settings: dict[str, object]) -> sentencepiece.SentencePieceProcessor:
    """SentencePiece itself."""
    return sentencepiece.SentencePieceProcessor(model_proto=trained(settings))


SIZES = {
    **{"vocab_size": 400, "hidden_size": 16, "intermediate_size": 32},
    **{"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2},
}


def save(folder: Path, config: T.PreTrainedConfig, settings: dict, file: str, **tokenizer_config: object) -> Path:
    """A random model of a config with a SentencePiece model of the name `file`, and no tokenizer.json."""
    torch.manual_seed(0)
    masked = type(config) in T.AutoModelForMaskedLM._model_mapping and type(config) is not T.LlamaConfig
    auto = T.AutoModelForMaskedLM if masked else T.AutoModelForCausalLM
    auto.from_config(config).save_pretrained(folder)
    (folder / file).write_bytes(trained(settings))
    if tokenizer_config:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    return folder
