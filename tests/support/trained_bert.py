"""A small BERT, trained in seconds on sentences of our own making: a masked model that knows something; no hub."""

import math
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
import transformers as T
from internal_physics.config.generate import generate, read_grammar
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
N_STEPS, N_SENTENCES, BATCH = 150, 1500, 64


class Trained(NamedTuple):
    """Model, tokenizer, and the entropy in nats of the unigram distribution of the words it was trained on."""

    model: T.PreTrainedModel
    tokenizer: T.PreTrainedTokenizerFast
    unigram_entropy_nats: float


@cache
def trained_bert() -> Trained:
    """Trained to fill a gap of one word; the same weights on every call."""
    sentences = [
        p.text.lower() for p in generate(read_grammar("everyday"), sentences=N_SENTENCES, task="causal", seed=1)
    ]
    tokenizer = _tokenizer(sentences)
    counts = Counter(token for s in sentences for token in tokenizer.tokenize(s))
    total = sum(counts.values())
    entropy = -sum(n / total * math.log(n / total) for n in counts.values())
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    config = T.BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=32, pad_token_id=0, attn_implementation="eager", **sizes
    )
    model = T.BertForMaskedLM(config)
    _train(model, tokenizer, sentences)
    return Trained(model.eval(), tokenizer, entropy)


def save_trained_bert(folder: str | Path) -> Path:
    """As a folder that transformers, and a path: source, can load."""
    trained_bert().model.save_pretrained(folder)
    trained_bert().tokenizer.save_pretrained(folder)
    return Path(folder)


def _tokenizer(sentences: list[str]) -> T.PreTrainedTokenizerFast:
    splitter = pre_tokenizers.Whitespace()
    words = sorted({word for s in sentences for word, _ in splitter.pre_tokenize_str(s)})
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), splitter
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "mask", "cls", "sep")}
    return T.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _train(model: T.PreTrainedModel, tokenizer: T.PreTrainedTokenizerFast, sentences: list[str]) -> None:
    """One random word of every sentence is hidden and has to be guessed."""
    whole = tokenizer(sentences, padding=True, return_tensors="pt")
    lengths = whole["attention_mask"].sum(dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    draw = torch.Generator().manual_seed(0)
    for _ in range(N_STEPS):
        rows = torch.randint(len(sentences), (BATCH,), generator=draw)
        ids, mask = whole["input_ids"][rows].clone(), whole["attention_mask"][rows]
        gaps = 1 + (torch.rand(BATCH, generator=draw) * (lengths[rows] - 2)).long()
        labels = torch.full_like(ids, -100)
        each = torch.arange(BATCH)
        labels[each, gaps] = ids[each, gaps]
        ids[each, gaps] = tokenizer.mask_token_id
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
