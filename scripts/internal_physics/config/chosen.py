"""Prompts that an option names: set/name, or the name of a set for all of its prompts."""

from collections.abc import Iterable, Mapping, Sequence

from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.suggest import did_you_mean


def chosen_prompts(
    asked: Iterable[str], prompt_sets: Mapping[str, Sequence[Prompt]], where: str
) -> dict[str, tuple[Prompt, ...]]:
    """Prompt set → those of its prompts that are asked for, in the order of the set.

    Args:
        asked: entries of the option.
        prompt_sets: name → prompts.
        where: of the option, for messages.

    Raises:
        ConfigError: for an entry that names no prompt.
    """
    known = {name: {prompt.name for prompt in prompts} for name, prompts in prompt_sets.items()}
    names: dict[str, set[str]] = {}
    for entry in asked:
        prompt_set, _, prompt = entry.partition("/")
        if prompt_set not in known or (prompt and prompt not in known[prompt_set]):
            every = [*known, *(f"{name}/{own}" for name, of_set in known.items() for own in sorted(of_set))]
            raise ConfigError(
                f"there is no prompt {entry!r}",
                where=where,
                expected="set/name of a prompt of this config, or the name of a set",
                todo=did_you_mean(entry, every, otherwise=f"name one of {', '.join(every[:5])}"),
            )
        names.setdefault(prompt_set, set()).update({prompt} if prompt else known[prompt_set])
    return {s: tuple(p for p in prompt_sets[s] if p.name in names[s]) for s in prompt_sets if s in names}
