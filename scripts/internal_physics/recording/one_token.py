"""A text that an option gives → the one token of a model that it is; or an error in words."""

from transformers import PreTrainedTokenizerBase

from internal_physics.ground.errors import ConfigError


def one_token(text: str, tokenizer: PreTrainedTokenizerBase, n_logits: int | None, where: str) -> int:
    """The id of a text that is one token of a model.

    Args:
        text: with the space before it, if it is a word.
        tokenizer: of the model.
        n_logits: how many tokens the model predicts; None if it is not known.
        where: the place in the config, for messages.

    Raises:
        ConfigError: it is several tokens, or unknown to the tokenizer, or the model does not predict it.
    """
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        pieces = " + ".join(repr(tokenizer.decode([i])) for i in ids)
        raise ConfigError(
            f"{text!r} is not one token of this model but {pieces or 'nothing'}",
            where=where,
            expected="texts of one token, with the space before a word",
            todo="write it as the tokenizer does, or choose another word",
        )
    if n_logits is not None and ids[0] >= n_logits:
        raise ConfigError(
            f"{text!r} has id {ids[0]}, and the model predicts {n_logits} tokens",
            where=where,
            expected="texts of one token that the model predicts",
            todo="choose another word: this one was added to the tokenizer, but not to the model",
        )
    return int(ids[0])
