"""Tokenizers of the kinds that real checkpoints come with, built here from explicit vocabularies."""

import string

import transformers as T
from tiny_models import build_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def around(template: str, **special: str) -> T.PreTrainedTokenizerFast:
    """The project's one-token-per-character tokenizer with a template such as "[CLS] $A [SEP]"."""
    tokenizer = build_tokenizer()
    ids = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("[CLS]", "[SEP]", "[MASK]")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    for name, token in special.items():
        setattr(tokenizer, name, token)
    return tokenizer


def byte_level(**flags: bool) -> T.PreTrainedTokenizerFast:
    """As GPT-2's: one token per byte, <|endoftext|> for beginning, end and unknown, no padding."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate([*alphabet, "<|endoftext|>"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    return T.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end, **flags)


def sentencepiece(*, bos: bool = True, eos: bool = False) -> T.PreTrainedTokenizerFast:
    """As Llama's: a unigram model over pieces with ▁ for a space, and <s> before every text."""
    pieces = ["<unk>", "<s>", "</s>", "▁", *(f"▁{c}" for c in string.ascii_lowercase), *string.ascii_letters, *" .,!?"]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    template = f"{'<s> ' if bos else ''}$A{' </s>' if eos else ''}"
    special = [("<s>", 1), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    return T.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def chat(template: str = CHATML, **special: str) -> T.PreTrainedTokenizerFast:
    """The project's tokenizer with the tokens and the template of a chat model."""
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("<|im_start|>", "<|im_end|>", "\n")])
    for name, token in {"eos_token": "<|im_end|>", **special}.items():
        setattr(tokenizer, name, token)
    tokenizer.chat_template = template
    return tokenizer
