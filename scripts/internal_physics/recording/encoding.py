"""Prompt text → token ids, and the checks that need a tokenizer.

Prompts of a masked model write the gap as `[MASK]`, whatever the tokenizer's own mask token is.
"""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from internal_physics.config.prompts import MASK, Prompt
from internal_physics.ground.errors import PromptError


@dataclass(frozen=True)
class Encoded:
    """A prompt ready to run.

    Attributes:
        prompt: the prompt as the user wrote it.
        ids: token ids, special tokens included as the tokenizer adds them by default.
        tokens: their strings.
        read_position: the last token (causal) or the [MASK] (masked).
        answer: token id to predict at the [MASK]; None for the model's own best token.
    """

    prompt: Prompt
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    read_position: int
    answer: int | None = None


def encode(prompt: Prompt, tokenizer: PreTrainedTokenizerBase, task: str, context_length: int | None) -> Encoded:
    """Tokenize one prompt and check that it can be run.

    Raises:
        PromptError: longer than the context, a single token (no loss), not one [MASK], a long answer.
    """
    text = prompt.text.replace(MASK, tokenizer.mask_token or MASK) if task == "masked" else prompt.text
    ids = tuple(tokenizer(text)["input_ids"])
    if context_length is not None and len(ids) > context_length:
        raise PromptError(
            f"{len(ids)} tokens",
            where=f"prompt {prompt.name!r}",
            expected=f"at most {context_length}, the model's context",
            todo="shorten it",
        )
    tokens = tuple(tokenizer.convert_ids_to_tokens(ids))
    if task == "masked":
        return _encode_masked(prompt, ids, tokens, tokenizer)
    if len(ids) < 2:
        raise PromptError(
            f"{len(ids)} token: there is no next token to predict, so no loss",
            where=f"prompt {prompt.name!r} ({prompt.text!r})",
            expected="at least 2 tokens",
            todo="lengthen it",
        )
    return Encoded(prompt, ids, tokens, len(ids) - 1)


def _encode_masked(
    prompt: Prompt, ids: tuple[int, ...], tokens: tuple[str, ...], tokenizer: PreTrainedTokenizerBase
) -> Encoded:
    positions = [t for t, token in enumerate(ids) if token == tokenizer.mask_token_id]
    if len(positions) != 1:
        raise PromptError(
            f"{len(positions)} masks",
            where=f"prompt {prompt.name!r}",
            expected=f"exactly one {MASK}",
            todo=f"write the gap as {MASK}",
        )
    answer = None
    if prompt.answer is not None:
        answer = _answer_id(prompt, tokenizer)
    return Encoded(prompt, ids, tokens, positions[0], answer)


def _answer_id(prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> int:
    """The answer as one token; where a mask swallows the space before it (RoBERTa), its stand-in has that space."""
    mask = tokenizer.added_tokens_decoder.get(tokenizer.mask_token_id)
    follows_space = mask is not None and mask.lstrip and f" {MASK}" in prompt.text
    text = f" {prompt.answer}" if follows_space else str(prompt.answer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        found = f"is {len(ids)} tokens" if len(ids) != 1 else "is not in the model's vocabulary"
        raise PromptError(
            f"the answer {prompt.answer!r} {found}",
            where=f"prompt {prompt.name!r}",
            expected="an answer of one token",
            todo="choose a word that the model has, or leave the answer out",
        )
    return ids[0]
