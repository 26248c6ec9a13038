"""How texts become tokens, by model and prompt set: as the config says. No heavy imports."""

from collections.abc import Iterable, Mapping
from typing import Any

from internal_physics.config.conditions import Run
from internal_physics.config.options.text import TextOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.options import names_of

Options = Mapping[str, Any]


def given_text_options(options: Options) -> dict[str, Any]:
    """The TextOptions that a model or prompt set sets, by name."""
    return {name: options[name] for name in names_of(TextOptions) if name in options}


def refuse_chats(models: Mapping[str, Options], own: Mapping[str, Options], runs: Iterable[Run], where: str) -> None:
    """Refuse a chat template that cannot be used: in a masked model, or without the special tokens that it writes.

    Args:
        models: name → options.
        own: prompt set → the TextOptions that it sets itself.
        runs: which model runs which sets.
        where: the config's name, for messages.

    Raises:
        ConfigError: naming the model or the prompt set that asks for the template.
    """
    for run in runs:
        for prompt_set in run.prompt_sets:
            asked = {**given_text_options(models[run.model]), **own[prompt_set]}
            if asked["chat_template"]:
                place = f"prompt_sets → {prompt_set}" if "chat_template" in own[prompt_set] else f"models → {run.model}"
                _refuse_chat(models[run.model]["task"], asked["special_tokens"], f"{where}: {place}")


def _refuse_chat(task: str, special_tokens: str, where: str) -> None:
    if task == "masked":
        raise ConfigError(
            "chat_template: true for a masked model",
            where=where,
            expected="a causal model: a template asks for an answer that follows",
            todo="set chat_template: false",
        )
    if special_tokens == "none":
        raise ConfigError(
            "chat_template: true together with special_tokens: none",
            where=where,
            expected="the special tokens that a template writes",
            todo="leave out one of the two",
        )
