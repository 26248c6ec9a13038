"""The tokenizer of a lab language: words between blanks, each one token."""

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from internal_physics.lab.data.masking import MASK
from internal_physics.lab.data.vocabulary import END, END_ID, PADDING, Vocabulary


def build_tokenizer(vocabulary: Vocabulary) -> PreTrainedTokenizerFast:
    """A tokenizer whose ids are those of the vocabulary; a text begins with `<eos>`, as rows of training do.

    A word that is not in the vocabulary has no token, and is refused.
    """
    ids = {word: index for index, word in enumerate(vocabulary.all_words)}
    tokenizer = Tokenizer(models.WordLevel(ids))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, END_ID)])
    mask = {"mask_token": MASK} if MASK in ids else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=PADDING,
        model_input_names=["input_ids", "attention_mask"],
        **mask,
    )


def words_of(snapshot: str | Path) -> tuple[str, ...]:
    """The words of a snapshot's tokenizer, by id."""
    ids: dict[str, int] = json.loads((Path(snapshot) / "tokenizer.json").read_text())["model"]["vocab"]
    return tuple(sorted(ids, key=ids.__getitem__))
