"""A text as a user's message in a model's own chat template, up to where its answer begins."""

import re
from datetime import date

from transformers import PreTrainedTokenizerBase

from internal_physics.ground.errors import PromptError

# Some templates write today's date. A record must be the same tomorrow, so that for them it is always this day: the one
# that Llama's templates themselves take where the date is not known.
TODAY = date(2024, 7, 26)
_SWITCH_OFF = "set chat_template: false for this model or prompt set"
_DATE_FORMAT = re.compile(r"strftime_now\(\s*(['\"])(.*?)\1\s*\)")


def render(text: str, tokenizer: PreTrainedTokenizerBase, where: str) -> str:
    """The text in the tokenizer's chat template, with the beginning of the answer, special tokens written out.

    Raises:
        PromptError: the tokenizer has no template, or it fails, does not hold the text, or ends without the beginning
            of an answer.
    """
    rendered, without = (_apply(text, tokenizer, begin, where) for begin in (True, False))
    _, separator, after = rendered.rpartition(text.strip())
    if not separator:
        raise PromptError(
            f"the model's chat template does not hold the text as it is: it makes {rendered!r}",
            where=where,
            expected="a template that holds a user's message",
            todo=_SWITCH_OFF,
        )
    end = tokenizer.eos_token
    if end and (after.endswith(end) or (end in after and rendered == without)):
        raise PromptError(
            f"the model's chat template ends the text with {end!r} and begins no answer",
            where=where,
            expected="a template that begins the answer (add_generation_prompt)",
            todo=f"{_SWITCH_OFF} and write the prompt out, with special_tokens: explicit",
        )
    return rendered


def _apply(text: str, tokenizer: PreTrainedTokenizerBase, begin_answer: bool, where: str) -> str:
    try:
        template = tokenizer.get_chat_template()
    except ValueError as error:
        raise PromptError(
            "chat_template: true, but the model's tokenizer has no chat template to choose",
            where=where,
            expected="a chat model",
            todo=_SWITCH_OFF,
        ) from error
    try:
        return str(
            tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                chat_template=_dates(template) + template,
                tokenize=False,
                add_generation_prompt=begin_answer,
            )
        )
    except Exception as error:  # a template is a program, and may raise any error
        raise PromptError(
            f"the model's chat template fails: {type(error).__name__}: {error}",
            where=where,
            todo=_SWITCH_OFF,
        ) from error


def _dates(template: str) -> str:
    """A definition that makes every date of a template that of TODAY; empty if the template writes no date."""
    forms = [form for _, form in _DATE_FORMAT.findall(template)]
    if len(forms) < template.count("strftime_now("):
        return ""
    formats = dict.fromkeys(forms)
    if not formats:
        return ""
    cases = "".join(f"{{%- if form == {form!r} -%}}{TODAY.strftime(form)}{{%- endif -%}}" for form in formats)
    return f"{{%- macro strftime_now(form) -%}}{cases}{{%- endmacro -%}}"
