"""A text → the token ids that run and their special tokens; or an error in words.

A tokenizer puts special tokens around a text, and reads those that the text itself writes. If both write them they are
doubled, and one appended at the end moves the position where the prediction is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from internal_physics.config.options.text import TextOptions
from internal_physics.ground.errors import PromptError
from internal_physics.ground.names import MASK
from internal_physics.recording.answers import tokens_after
from internal_physics.recording.chat import render

_WRITE_YOURSELF = "set special_tokens: explicit, with which a text has those that it writes and no others"


@dataclass(frozen=True)
class Room:
    """Limits of a model; None where there is no limit.

    Attributes:
        n_positions: tokens of one prompt.
        n_embeddings: rows of the embedding table.
        n_logits: entries of the vocabulary that the model predicts.
        n_dense: tokens of one prompt that all attend to each other; those of a longer one attend in blocks.
    """

    n_positions: int | None = None
    n_embeddings: int | None = None
    n_logits: int | None = None
    n_dense: int | None = None


@dataclass(frozen=True)
class TokenIds:
    """The tokens of a text.

    Attributes:
        ids: what runs.
        tokens: their strings, the tokenizer's own.
        special: positions of special tokens: those around the text, a template's, a [MASK].
        left_out: strings of the tokens that the tokenizer would have appended.
    """

    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    special: tuple[int, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextReader:
    """Turns texts into the token ids that one model runs.

    Attributes:
        tokenizer: of the model.
        task: causal or masked; the gap of a masked model's text is written [MASK], whatever its own mask token is.
        options: which special tokens, and whether in a chat template.
        room: of the model.
    """

    tokenizer: PreTrainedTokenizerBase
    task: str
    options: TextOptions = field(default_factory=TextOptions)
    room: Room = field(default_factory=Room)

    def read(self, text: str, where: str) -> TokenIds:
        """Token ids of one text.

        Raises:
            PromptError: no tokens; special tokens doubled, or at the end of a causal text; a token that the model
                lacks; longer than its context. It says `where`.
        """
        _refuse_half_characters(text, where)
        if self.task == "masked":
            text = text.replace(MASK, self.tokenizer.mask_token or MASK)
        if self.options.chat_template:
            token_ids = self._templated(text, where)
        elif self.options.special_tokens == "tokenizer":
            token_ids = self._as_the_tokenizer_does(text, where)
        else:
            token_ids = self._as_written(text, where)
        require_room(token_ids, self.room, self.task, where)
        return token_ids

    def given(self, ids: Sequence[int]) -> TokenIds:
        """Token ids that were given instead of a text; an id that the tokenizer has no token for is its number."""
        named = self._named(ids)
        tokens = tuple(str(i) if token is None else token for token, i in zip(named.tokens, ids, strict=True))
        return TokenIds(named.ids, tokens, named.special)

    def tokens_after(self, text: str, answer: str, where: str) -> tuple[int, ...]:
        """Token ids of an answer as it would follow a causal text; see recording.answers for the rule."""
        _refuse_half_characters(answer, where)
        template, special = self.options.chat_template, self.options.special_tokens
        whole = render(text, self.tokenizer, where) if template else text
        as_text = False if template else None if special == "tokenizer" else special == "none"
        return tokens_after(whole, answer, lambda some: self._ids(some, where, as_text=as_text))

    def require_predicted(self, token: int, text: str, where: str) -> None:
        """Refuse an answer that the model has no logit for.

        Raises:
            PromptError: naming it.
        """
        _require_row([token], [text], self.room.n_logits, "vocabulary of predictions", where)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of special tokens; that of unknown words only if it has another role too, as in GPT-2."""
        names = ("bos", "eos", "cls", "sep", "pad", "mask")
        named = {i for name in names if (i := getattr(self.tokenizer, f"{name}_token_id", None)) is not None}
        added = {i for i, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return frozenset((set(self.tokenizer.all_special_ids) | added) - {self.tokenizer.unk_token_id} | named)

    def _as_the_tokenizer_does(self, text: str, where: str) -> TokenIds:
        """Keep what the tokenizer puts before a text, and for a masked model after it."""
        own, whole = self._ids(text, where), self._ids(text, where, special=True)
        before, after = _around(own, whole)
        self._refuse_doubled([token for token in own if token in before], where)
        if self.task == "masked":
            self._refuse_doubled([token for token in own[-1:] if token in after], where)
            return self._named(whole, around={*before, *after})
        self._refuse_end(own, {self.tokenizer.eos_token_id, *after}, where)
        return self._named(whole[: len(whole) - len(after)], around=set(before), left_out=after)

    def _as_written(self, text: str, where: str) -> TokenIds:
        """Ids without anything around them; with `none`, what looks like a special token is text."""
        none, masked = self.options.special_tokens == "none", self.task == "masked"
        ids = self._ids(text, where, as_text=none and not masked)
        written = [token for token in ids if token in self.special_ids and token != self._mask_id]
        if none and written:
            raise PromptError(
                f"the text writes the special token {self._name(written[0])}, and special_tokens is none",
                where=where,
                expected="a text without special tokens",
                todo="delete it from the text, or set special_tokens: explicit",
            )
        return self._named(ids)

    def _templated(self, text: str, where: str) -> TokenIds:
        """Ids of the text in the chat template, which writes all special tokens."""
        if self.task == "masked":
            raise PromptError(
                "chat_template: true for a masked model",
                where=where,
                expected="a causal model: a template asks for an answer that follows",
                todo="set chat_template: false",
            )
        written = [token for token in self._ids(text, where, as_text=False) if token in self.special_ids]
        if written:
            raise PromptError(
                f"the text writes the special token {self._name(written[0])}, and so does the chat template",
                where=where,
                expected="the plain text of a user's message",
                todo="delete it from the text; for a text that is in the template already, set chat_template: false "
                "and special_tokens: explicit",
            )
        return self._named(self._ids(render(text, self.tokenizer, where), where, as_text=False))

    def _ids(self, text: str, where: str, *, special: bool = False, as_text: bool | None = None) -> list[int]:
        """Ids of a whole text: a truncation or padding that was saved with the tokenizer is ignored.

        Args:
            text: the text.
            where: the prompt, for messages.
            special: whether the tokenizer adds its special tokens.
            as_text: whether special tokens in the text are text; None: as the tokenizer has it.
        """
        extra = {} if as_text is None else {"split_special_tokens": as_text}
        plain = {"truncation": False, "padding": False, "verbose": False}
        try:
            ids = list(self.tokenizer(text, add_special_tokens=special, **plain, **extra)["input_ids"])
        except Exception as error:  # the tokenizers library has no class of its own for it
            if "[UNK]" not in str(error):
                raise
            raise PromptError(
                f"a word of {text!r} is not in the vocabulary, and the tokenizer has no token for unknown words",
                where=where,
                expected="words that the model was trained on",
            ) from None
        if not ids:
            raise PromptError(f"the text {text!r} has no tokens", where=where, expected="a text", todo="write one")
        return ids

    def _refuse_doubled(self, doubled: Sequence[int], where: str) -> None:
        if doubled:
            token = self._name(doubled[0])
            raise PromptError(
                f"{token} is doubled: the tokenizer adds it, and the text brings its own",
                where=where,
                expected=f"a text without {token}",
                todo=f"delete it from the text, or {_WRITE_YOURSELF}",
            )

    def _refuse_end(self, own: Sequence[int], ends: set[int], where: str) -> None:
        if own[-1] in ends:
            raise PromptError(
                f"the text ends with {self._name(own[-1])}, so that the prediction would be read after its end",
                where=where,
                expected="a text that is to go on",
                todo=f"delete it from the text, or, if it is meant, {_WRITE_YOURSELF}",
            )

    def _named(self, ids: Sequence[int], around: Iterable[int] = (), left_out: Iterable[int] = ()) -> TokenIds:
        special = self.special_ids | set(around)
        positions = tuple(t for t, token in enumerate(ids) if token in special)
        return TokenIds(tuple(ids), self._strings(ids), positions, self._strings(left_out))

    def _strings(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Strings of tokens; some tokenizers have bytes."""
        tokens = self.tokenizer.convert_ids_to_tokens(list(ids))
        return tuple(t.decode("utf-8", errors="replace") if isinstance(t, bytes) else t for t in tokens)

    @property
    def _mask_id(self) -> int | None:
        return self.tokenizer.mask_token_id if self.task == "masked" else None

    def _name(self, token: int) -> str:
        return repr(self._strings([token])[0])


def require_room(found: TokenIds, room: Room, task: str, where: str) -> None:
    """Refuse tokens that a model has no room for.

    Raises:
        PromptError: longer than its context or than it attends to as a whole, or a token that it lacks.
    """
    if room.n_positions is not None and len(found.ids) > room.n_positions:
        raise PromptError(
            f"{len(found.ids)} tokens",
            where=where,
            expected=f"at most {room.n_positions}, the model's context",
            todo="shorten it",
        )
    if room.n_dense is not None and len(found.ids) > room.n_dense:
        raise PromptError(
            f"{len(found.ids)} tokens: this model attends to so many in blocks (attention_type: block_sparse), "
            "which is not recorded",
            where=where,
            expected=f"at most {room.n_dense} tokens",
            todo="shorten it, or set attention_type to original_full in the model's config.json",
        )
    _require_row(found.ids, found.tokens, room.n_embeddings, "embedding table", where)
    if task == "causal":  # each token but the first is predicted
        _require_row(found.ids, found.tokens, room.n_logits, "vocabulary of predictions", where)


def _around(own: Sequence[int], whole: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """The ids before and after a text's own ids; empty for a tokenizer that changes those."""
    places = [n for n in range(len(whole) - len(own) + 1) if whole[n : n + len(own)] == own]
    if not places:
        return [], []
    return whole[: places[-1]], whole[places[-1] + len(own) :]


def _refuse_half_characters(text: str, where: str) -> None:
    """Refuse a lone surrogate, as a YAML file may contain: no tokenizer accepts it."""
    half = next((c for c in text if "\ud800" <= c <= "\udfff"), None)
    if half is not None:
        raise PromptError(
            f"the text holds {half!r}, half a character",
            where=where,
            expected="text that can be written in UTF-8",
            todo="write the whole character",
        )


def _require_row(ids: Sequence[int], tokens: Sequence[str], n_rows: int | None, table: str, where: str) -> None:
    beyond = [(token, i) for token, i in zip(tokens, ids, strict=True) if n_rows is not None and i >= n_rows]
    if beyond:
        token, i = beyond[0]
        raise PromptError(
            f"the token {token!r} has id {i}, and the model's {table} has {n_rows} rows",
            where=where,
            expected="tokens that the model knows",
            todo="leave it out of the text, or use a model that was resized to its tokenizer",
        )
