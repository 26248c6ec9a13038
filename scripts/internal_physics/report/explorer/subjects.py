"""What all numbers of the explorer are about: a prompt of a set, read by a model in a condition. Pure, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.tables.keys import PROMPT_KEY

NOTES = ("text", "kind", "difficulty", "answer")
TARGET, TARGET_TOKEN = "target", "target_token"  # what the gradients of a prompt are of
OF_PROMPTS = (*PROMPT_KEY, *NOTES, TARGET, TARGET_TOKEN)  # columns of table `prompts` that describe subjects
_OF_SET = ["prompt_set", "prompt"]


@dataclass(frozen=True, eq=False)
class Subjects:
    """The subjects of a page.

    Attributes:
        frame: one row per subject, columns of PROMPT_KEY; numbered from 0.
        n_left_out: prompt set → how many of its prompts the page has no room for.
    """

    frame: pd.DataFrame
    n_left_out: dict[str, int]

    @cached_property
    def _index(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(self.frame)

    def rows_of(self, frame: pd.DataFrame) -> np.ndarray:
        """The subject of every row of a table with the columns of PROMPT_KEY; -1 for one that is none."""
        return self._index.get_indexer(pd.MultiIndex.from_frame(frame[PROMPT_KEY]))

    def names(self, column: str) -> list[str]:
        """The different names in a column, in their order."""
        return list(dict.fromkeys(self.frame[column]))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.frame)


def choose_subjects(prompts: pd.DataFrame, share: float = 1.0) -> Subjects:
    """The subjects of table `prompts`, or where a page has no room for all the first prompts of every set.

    Args:
        prompts: rows with the columns of PROMPT_KEY.
        share: of the prompts of every set that there is room for; at least one of each set is kept.
    """
    prompts_of_sets = prompts[_OF_SET].drop_duplicates()
    size = prompts_of_sets.groupby("prompt_set", sort=False)["prompt"].transform("size")
    place = prompts_of_sets.groupby("prompt_set", sort=False).cumcount()
    is_kept = place < np.maximum(1, np.floor(size * min(share, 1.0)))
    left_out = prompts_of_sets[~is_kept].groupby("prompt_set", sort=False).size()
    kept = prompts[PROMPT_KEY].merge(prompts_of_sets[is_kept], on=_OF_SET).drop_duplicates(ignore_index=True)
    return Subjects(kept, {str(name): int(n) for name, n in left_out.items()})


def describe_subjects(subjects: Subjects, prompts: pd.DataFrame, read: pd.DataFrame) -> dict[str, Any]:
    """Names, texts and tokens of the subjects for the page.

    Args:
        subjects: of the page.
        prompts: table `prompts`, whose notes describe a prompt.
        read: table `prompts_read`, with the tokens as each model reads them.

    Returns:
        models, conditions, prompt_sets: names; prompts: {set, name, text, kind, difficulty, answer} each; tokens: the
        different token texts; targets: in words, what gradients are of; subjects: model, condition, prompt, tokens and
        target of each, as numbers in these lists (tokens -1 where they are not known).
    """
    names = {column: subjects.names(column) for column in ("model", "condition", "prompt_set")}
    notes = prompts.drop_duplicates(_OF_SET).set_index(_OF_SET)
    keys = subjects.frame[_OF_SET].drop_duplicates()
    listed = [_describe_prompt(notes, key, names["prompt_set"]) for key in keys.itertuples(index=False, name=None)]
    number = {key: i for i, key in enumerate(keys.itertuples(index=False, name=None))}
    tokens = subjects.frame.merge(read[["model", *_OF_SET, "tokens"]], on=["model", *_OF_SET], how="left")["tokens"]
    texts = list(dict.fromkeys(tokens.dropna()))
    targets = _targets(subjects, prompts)
    target_texts = list(dict.fromkeys(targets))
    return {
        "models": names["model"],
        "conditions": names["condition"],
        "prompt_sets": names["prompt_set"],
        "prompts": listed,
        "tokens": texts,
        "targets": target_texts,
        "subjects": {
            "model": _coded(subjects.frame["model"], names["model"]),
            "condition": _coded(subjects.frame["condition"], names["condition"]),
            "prompt": [number[key] for key in subjects.frame[_OF_SET].itertuples(index=False, name=None)],
            "tokens": _coded(tokens, texts),
            "target": _coded(targets, target_texts),
        },
    }


def target_in_words(target: str, token: object) -> str:
    """What gradients are of: "loss", "logit of ' Paris'", or "logit of one token" where its text is missing."""
    if target == "loss":
        return target
    named = "one token" if pd.isna(token) else f"'{token}'"
    return f"{target.replace('_', '-')} of {named}"


def _targets(subjects: Subjects, prompts: pd.DataFrame) -> pd.Series:
    """Of every subject what its gradients are of, in words."""
    of_prompts = subjects.frame.merge(prompts[[*PROMPT_KEY, TARGET, TARGET_TOKEN]], on=PROMPT_KEY, how="left")
    pairs = zip(of_prompts[TARGET], of_prompts[TARGET_TOKEN], strict=True)
    return pd.Series([target_in_words(target, token) for target, token in pairs], dtype=object)


def _describe_prompt(notes: pd.DataFrame, key: tuple[str, str], sets: Sequence[str]) -> dict[str, Any]:
    """Set (as a number), name and notes of a prompt; a note that is not given is left out."""
    row = notes.loc[key]
    given = {name: str(row[name]) for name in NOTES if name in row and pd.notna(row[name])}
    return {"set": sets.index(key[0]), "name": key[1]} | given


def _coded(values: pd.Series, names: Sequence[str]) -> list[int]:
    return [int(code) for code in pd.Categorical(values, categories=list(names)).codes]
