"""Rule generate: sentences from templates and fillers, seeded; for causal and for masked models.

A template file is YAML: `templates`, each a `text` with {slots} and the name of its `gap`, and `fillers`, words for
every slot. For a causal model every slot is filled; for a masked one the gap is [MASK] and its filler is the answer.
No heavy imports: the Snakefile calls this while it is parsed, since the prompts' names are names of files.
"""

import math
import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.ground.home import home
from internal_physics.ground.names import MASK
from internal_physics.ground.strict_yaml import load_yaml

TEMPLATES = home() / "resources" / "templates"
_SLOT = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Template:
    """A sentence with slots.

    Attributes:
        text: with slots written {name}.
        slots: slot names in the order of the text; each once.
        gap: the slot that a masked model has to fill.
    """

    text: str
    slots: tuple[str, ...]
    gap: str


@dataclass(frozen=True)
class Grammar:
    """The content of one template file."""

    templates: tuple[Template, ...]
    fillers: Mapping[str, tuple[str, ...]]


def generate(grammar: Grammar, *, sentences: int, task: str, seed: int, where: str = "generate") -> list[Prompt]:
    """Draw different sentences, all equally likely, named sentence_0001 and so on.

    Args:
        grammar: templates and fillers.
        sentences: how many.
        task: causal (every slot filled) or masked (the gap is [MASK], its filler the answer; texts differ).
        seed: the same seed gives the same sentences.
        where: the place in the config, for messages.

    Raises:
        PromptError: if the templates do not give that many sentences, or two of them are equal.
    """
    open_slots = [tuple(s for s in t.slots if task == "causal" or s != t.gap) for t in grammar.templates]
    counts = [math.prod(len(grammar.fillers[slot]) for slot in slots) for slots in open_slots]
    if sentences > sum(counts):
        raise PromptError(
            f"{sentences} sentences, and its templates make {sum(counts)}",
            where=where,
            expected=f"at most {sum(counts)} different sentences for task {task}",
            todo="ask for fewer, or add templates or fillers",
        )
    draw = random.Random(f"{seed}/{task}")
    digits = max(4, len(str(sentences)))
    prompts = []
    for i, number in enumerate(draw.sample(range(sum(counts)), sentences), start=1):
        template, rest = _locate(number, counts)
        words = _words(rest, open_slots[template], grammar.fillers)
        answer = draw.choice(grammar.fillers[grammar.templates[template].gap]) if task == "masked" else None
        prompts.append(_prompt(f"sentence_{i:0{digits}d}", grammar.templates[template], words, answer, template))
    _refuse_equal(prompts, where)
    return prompts


def _refuse_equal(prompts: Sequence[Prompt], where: str) -> None:
    """Two templates, or one that is given twice, can make the same sentence."""
    first: dict[str, Prompt] = {}
    for prompt in prompts:
        other = first.setdefault(prompt.text, prompt)
        if other is not prompt:
            raise PromptError(
                f"{other.kind} and {prompt.kind} make the same sentence: {prompt.text!r}",
                where=where,
                expected="templates whose sentences differ",
                todo="change one of the templates, or their fillers",
            )


def read_grammar(template: str, where: str = "generate") -> Grammar:
    """Read a template file by its name in resources/templates, or by the path of a .yaml file.

    Raises:
        PromptError: for an unknown name or path, a slot without fillers, a gap that is not a slot.
    """
    own = template.endswith((".yaml", ".yml"))
    path = Path(template) if own else TEMPLATES / f"{template}.yaml"
    if not os.path.isfile(path):
        known = sorted(p.stem for p in TEMPLATES.glob("*.yaml"))
        raise PromptError(
            f"there is no template {template!r}", where=where, expected=f"{', '.join(known)}, or a .yaml file"
        )
    return parse_grammar(load_yaml(path), f"{where} → {path.name}")


def parse_grammar(raw: Any, where: str) -> Grammar:
    """Check and build the content of a template file.

    Raises:
        PromptError: as `read_grammar`.
    """
    entries = raw.get("templates") if isinstance(raw, Mapping) else None
    if not isinstance(entries, list) or not entries or not isinstance(raw.get("fillers"), Mapping):
        raise PromptError("not a template file", where=where, expected="a mapping with `templates` and `fillers`")
    fillers = {str(slot): _fillers(words, f"{where}: fillers → {slot}") for slot, words in raw["fillers"].items()}
    templates = tuple(_template(entry, fillers, f"{where}: template {i}") for i, entry in enumerate(entries, 1))
    return Grammar(templates, fillers)


def to_yaml(prompts: Sequence[Prompt], made_from: Mapping[str, Any]) -> str:
    """A prompt file (as prompts.read_prompts takes it) that says how it was made."""
    note = f"Made by the rule generate from {dict(made_from)}."
    body = {"description": note, "prompts": [prompt.to_json() for prompt in prompts]}
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)


def _fillers(words: Any, where: str) -> tuple[str, ...]:
    if not isinstance(words, list) or not words or not all(isinstance(w, str) and w.strip() for w in words):
        raise PromptError(f"found {words!r}", where=where, expected="a list of words")
    if len(set(words)) < len(words):
        raise PromptError("a word is given twice", where=where, expected="different words")
    return tuple(words)


def _template(entry: Any, fillers: Mapping[str, Sequence[str]], where: str) -> Template:
    if not isinstance(entry, Mapping) or set(entry) != {"text", "gap"}:
        raise PromptError(f"found {entry!r}", where=where, expected="a mapping with `text` and `gap`")
    text, gap = str(entry["text"]), str(entry["gap"])
    slots = tuple(_SLOT.findall(text))
    unknown = [slot for slot in slots if slot not in fillers]
    if unknown or len(set(slots)) < len(slots) or gap not in slots:
        wrong = f"no fillers for {unknown[0]!r}" if unknown else f"slots {', '.join(slots)} and gap {gap!r}"
        raise PromptError(wrong, where=where, expected="slots with fillers, each once, the gap among them")
    return Template(text, slots, gap)


def _locate(number: int, counts: Sequence[int]) -> tuple[int, int]:
    """(template, index within it) of a sentence's number among all."""
    for template, count in enumerate(counts):
        if number < count:
            return template, number
        number -= count
    raise ValueError("number is not below the sum of counts")


def _words(index: int, slots: Sequence[str], fillers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The combination of fillers with this index, as digits of a number of mixed radix."""
    words = {}
    for slot in slots:
        index, digit = divmod(index, len(fillers[slot]))
        words[slot] = fillers[slot][digit]
    return words


def _prompt(name: str, template: Template, words: Mapping[str, str], answer: str | None, number: int) -> Prompt:
    filled = words if answer is None else {**words, template.gap: MASK}
    text = _SLOT.sub(lambda slot: filled[slot[1]], template.text)
    return Prompt(name, text[0].upper() + text[1:], kind=f"template_{number + 1}", answer=answer)
