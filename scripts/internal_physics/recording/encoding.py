"""Prompt → token ids, the position of its prediction, its answer, and the checks that need a tokenizer."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ModelError, PromptError
from internal_physics.ground.names import MASK
from internal_physics.models.lengths import longest_dense
from internal_physics.models.loading import LoadedModel
from internal_physics.models.refusals import reading
from internal_physics.recording.token_ids import Room, TextReader, TokenIds, require_room

LOGGER = logging.getLogger("internal_physics")
_SHOWN = 60  # characters of a text in a message


@dataclass(frozen=True)
class Encoded:
    """A prompt ready to run.

    Attributes:
        prompt: the prompt as the user wrote it.
        ids: token ids that run, special tokens included.
        tokens: their strings.
        read_position: the last token (causal) or the [MASK] (masked).
        answer: token id of the answer at the read position, the first of several; None where the prompt has no
            answer, and where no token of the model begins it (a word that it lacks, or a space of its own).
        special: positions of special tokens; None if no tokenizer has named them.
        n_answer_tokens: how many tokens the answer has; 0 where `answer` is None.
    """

    prompt: Prompt
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    read_position: int
    answer: int | None = None
    special: tuple[int, ...] | None = None
    n_answer_tokens: int = 0


def encode_prompts(
    model: LoadedModel, prompts: Iterable[Prompt], options: TextOptions | None = None, *, needs_loss: bool = True
) -> list[Encoded]:
    """Tokenize prompts for a model and check that each can be run; the log names tokens that are left out.

    Args:
        model: the model.
        prompts: what is read.
        options: how a text becomes tokens.
        needs_loss: whether a causal prompt must have a next token; if not, one token is enough.

    Raises:
        PromptError: for the first that cannot, naming it.
    """
    encoded: list[Encoded] = []
    left_out: set[str] = set()
    reader = None
    for prompt in prompts:
        if model.tokenizer is None and prompt.ids:
            encoded.append(_of_numbers(prompt, model, needs_loss=needs_loss))
            continue
        reader = reader or text_reader(model, options)
        encoded.append(_read(prompt, reader, left_out, needs_loss=needs_loss))
    if left_out:
        LOGGER.warning(
            "the tokenizer appends %s, which is left out: the prediction is read where the text ends",
            ", ".join(sorted(left_out)),
        )
    return encoded


def encode(
    prompt: Prompt,
    tokenizer: PreTrainedTokenizerBase,
    task: str,
    context_length: int | None,
    options: TextOptions | None = None,
) -> Encoded:
    """Tokenize one prompt without a loaded model; of the model's limits only the context is checked.

    Raises:
        PromptError: longer than the context, a single token (no loss), not one [MASK], a long answer, and whatever
            `TextReader.read` refuses.
    """
    reader = TextReader(tokenizer, task, options or TextOptions(), Room(context_length))
    return _read(prompt, reader, set())


def text_reader(model: LoadedModel, options: TextOptions | None = None) -> TextReader:
    """A reader of texts for a model, with the room that it has: positions, and rows of the tables at both ends.

    Raises:
        ModelError: it has no tokenizer.
    """
    if model.tokenizer is None:
        raise ModelError(
            "the model has no tokenizer, so no text can be read",
            todo="copy the tokenizer that it comes with into its folder, or write token ids: `ids: [7, 9, 11]` "
            "instead of `text`",
        )
    return TextReader(model.tokenizer, model.task, options or TextOptions(), _room(model))


def _room(model: LoadedModel) -> Room:
    n_logits = model.module.get_output_embeddings().weight.shape[0]
    n_dense = longest_dense(model.module.config, model.task)
    return Room(model.context_length, model.n_embeddings, n_logits, n_dense)


def _of_numbers(prompt: Prompt, model: LoadedModel, *, needs_loss: bool) -> Encoded:
    """A prompt of token ids for a model without tokenizer: its tokens are called by their numbers."""
    where = _place(prompt)
    if model.task == "masked":
        raise PromptError(
            "token ids for a masked model without tokenizer: the id of its mask is not known",
            where=where,
            expected="the tokenizer of a masked model",
            todo="copy the tokenizer that it comes with into its folder",
        )
    found = TokenIds(tuple(map(int, prompt.ids.split())), tuple(prompt.ids.split()), ())
    require_room(found, _room(model), model.task, where)
    _refuse_answer(prompt, where)
    _require_tokens(found, where, needs_loss=needs_loss)
    return Encoded(prompt, found.ids, found.tokens, len(found.ids) - 1)


def _refuse_answer(prompt: Prompt, where: str) -> None:
    if prompt.answer is not None:
        raise PromptError(
            "an answer to token ids",
            where=where,
            expected="token ids without an answer",
            todo="leave out `answer`; the model's own best token is followed",
        )


def _require_tokens(found: TokenIds, where: str, *, needs_loss: bool) -> None:
    if not found.ids:
        raise PromptError("no token", where=where, expected="at least 1 token", todo="lengthen it")
    if needs_loss and len(found.ids) == 1:
        raise PromptError(
            "1 token: there is no next token to predict, so no loss",
            where=where,
            expected="at least 2 tokens",
            todo="lengthen it, or set record.target to logit or log_probability",
        )


def _read(prompt: Prompt, reader: TextReader, left_out: set[str], *, needs_loss: bool = True) -> Encoded:
    """A prompt ready to run; the tokenizer's tokens that are left out are added to `left_out`."""
    where = _place(prompt)
    with reading(f"the tokenizer of {reader.tokenizer.name_or_path} fails", where, PromptError):
        if prompt.ids:
            token_ids = reader.given(tuple(map(int, prompt.ids.split())))
            require_room(token_ids, reader.room, reader.task, where)
        else:
            token_ids = reader.read(prompt.text, where)
        left_out.update(token_ids.left_out)
        return _encoded(prompt, token_ids, reader, where, needs_loss=needs_loss)


def _encoded(prompt: Prompt, token_ids: TokenIds, reader: TextReader, where: str, *, needs_loss: bool) -> Encoded:
    if reader.task == "masked":
        return _encode_masked(prompt, token_ids, reader, where)
    _require_tokens(token_ids, where, needs_loss=needs_loss)
    if prompt.ids:
        _refuse_answer(prompt, where)
    answer = _tokens_after(prompt, reader, where)
    first = answer[0] if answer else None
    return Encoded(
        prompt, token_ids.ids, token_ids.tokens, len(token_ids.ids) - 1, first, token_ids.special, len(answer)
    )


def _tokens_after(prompt: Prompt, reader: TextReader, where: str) -> tuple[int, ...]:
    """Tokens of a causal prompt's answer; none if it has no answer, or if the first token carries no text of it."""
    if prompt.answer is None:
        return ()
    if not prompt.answer.strip():
        raise PromptError(
            f"the answer {prompt.answer!r} is blank",
            where=where,
            expected="the word with which the text should go on",
            todo="write it, or leave the answer out",
        )
    ids = reader.tokens_after(prompt.text, prompt.answer, where)
    is_unknown = ids[0] == reader.tokenizer.unk_token_id and ids[0] not in reader.special_ids
    if is_unknown or not str(reader.tokenizer.decode([ids[0]])).strip():
        LOGGER.warning("%s: no token of the model begins the answer %r; it is not followed", where, prompt.answer)
        return ()
    reader.require_predicted(ids[0], prompt.answer, where)
    return ids


def _place(prompt: Prompt) -> str:
    text = prompt.text if len(prompt.text) <= _SHOWN else f"{prompt.text[:_SHOWN]}…"
    return f"prompt {prompt.name!r} ({text!r})"


def _encode_masked(prompt: Prompt, token_ids: TokenIds, reader: TextReader, where: str) -> Encoded:
    positions = [t for t, token in enumerate(token_ids.ids) if token == reader.tokenizer.mask_token_id]
    if len(positions) != 1:
        raise PromptError(
            f"{len(positions)} masks",
            where=where,
            expected=f"exactly one {MASK}",
            todo=f"write the gap as {MASK}",
        )
    answer = None
    if prompt.answer is not None:
        answer = _answer_id(prompt, reader.tokenizer, where)
        reader.require_predicted(answer, prompt.answer, where)
    n_tokens = 0 if answer is None else 1
    return Encoded(prompt, token_ids.ids, token_ids.tokens, positions[0], answer, token_ids.special, n_tokens)


def _answer_id(prompt: Prompt, tokenizer: PreTrainedTokenizerBase, where: str) -> int:
    """The answer as one token; where a mask swallows the space before it (RoBERTa), its replacement includes that
    space.
    """
    mask = tokenizer.added_tokens_decoder.get(tokenizer.mask_token_id)
    follows_space = mask is not None and mask.lstrip and f" {MASK}" in prompt.text
    text = f" {prompt.answer}" if follows_space else str(prompt.answer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        found = f"is {len(ids)} tokens" if len(ids) != 1 else "is not in the model's vocabulary"
        raise PromptError(
            f"the answer {prompt.answer!r} {found}",
            where=where,
            expected="an answer of one token",
            todo="choose a word that the model has, or leave the answer out",
        )
    return ids[0]
