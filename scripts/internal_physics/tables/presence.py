"""What check_tables asks of a table's rows as the config's: nobody is missing, nobody is there unasked."""

from collections.abc import Mapping, Sequence

import pandas as pd

from internal_physics.families.residual_gain.residual_gain import VARIANTS
from internal_physics.families.scores.names import GRADIENT_FLOW, RESIDUAL_GAIN, THERMODYNAMICS, score_names

Run = tuple[str, str, Sequence[str]]
_SET = ["model", "condition", "prompt_set"]
_PER_PROMPT, _WITH_LAYERS = ("ec", "isc", "isg", "isa"), ("ec", "isc", "isa", RESIDUAL_GAIN)
# Table → the columns that tell rows of one group apart; a group is a prompt set of a model and condition.
_MEMBERS = {
    "scores": ["metric"],
    "scores_normalized": ["metric"],
    "prompts": ["prompt"],
    "layers": ["prompt"],
    "isf_spectra": ["rank"],
    "information": ["prompt"],
    "predictions": ["prompt"],
    "gains": ["prompt", "variant"],
    "hypotheses": ["variant"],
    "thermodynamics": ["prompt"],
}
# Tables that are judged only where their metric was asked for.
_ONLY_WITH = {"gains": RESIDUAL_GAIN, "hypotheses": RESIDUAL_GAIN, "thermodynamics": "thermodynamics"}


def group_columns(name: str) -> list[str]:
    """The columns of a group; hypotheses are tested over all sets of a model and condition."""
    return _SET[:2] if name == "hypotheses" else _SET


class Presence:
    """The rows that a config asks for, compared part by part; a group is never in two parts.

    Args:
        runs: model, condition, and the names of the prompt sets that must be there.
        metrics: all that must be there.
        prompts: prompt set → names of its prompts.
    """

    def __init__(self, runs: Sequence[Run], metrics: Sequence[str], prompts: Mapping[str, Sequence[str]]) -> None:
        self._metrics, self._prompts = metrics, prompts
        self._groups = [(model, condition, name) for model, condition, names in runs for name in names]
        self._waiting: dict[str, dict[tuple, None]] = {}
        self._n_weights: dict[str, int] = {}

    def check(self, name: str, part: pd.DataFrame) -> list[str]:
        """What is wrong with the groups of a part; `spectra` come before `thermodynamics`."""
        if name == "spectra":
            self._n_weights |= part["model"].value_counts().to_dict()
        if not self._has_to_be(name):
            return []
        waiting = self._waiting.setdefault(name, self._all_groups(name))
        rows = _without_kinds(part)
        problems = []
        for key, group in rows.groupby(group_columns(name), sort=False):
            problems += self._of_group(name, key, group, asked_for=key in waiting)
            waiting.pop(key, None)
        return problems

    def finish(self, name: str) -> list[str]:
        """Groups that no part had."""
        if not self._has_to_be(name):
            return []
        left = self._waiting.get(name, self._all_groups(name))
        nothing = pd.DataFrame(columns=_MEMBERS[name])
        return [problem for key in left for problem in self._of_group(name, key, nothing, asked_for=True)]

    def _has_to_be(self, name: str) -> bool:
        """Whether the config says which rows the table has."""
        needed = _ONLY_WITH.get(name)
        return name in _MEMBERS and (needed is None or needed in self._metrics)

    def _all_groups(self, name: str) -> dict[tuple, None]:
        return dict.fromkeys(key[: len(group_columns(name))] for key in self._groups)

    def _of_group(self, name: str, key: tuple, rows: pd.DataFrame, *, asked_for: bool) -> list[str]:
        expected = self._members(name, key) if asked_for else []
        found = set(rows[_MEMBERS[name]].itertuples(index=False, name=None))
        strange = [f"{name}: unexpected row for {_shown(key + m)}" for m in sorted(found - set(expected), key=str)]
        if name == "thermodynamics":
            return strange + self._weight_problems(key, rows, expected)
        return [f"{name}: no row for {_shown(key + m)}" for m in expected if m not in found] + strange

    def _weight_problems(self, key: tuple, rows: pd.DataFrame, expected: Sequence[tuple]) -> list[str]:
        """Every prompt has a row for each weight that the model's spectra have."""
        wanted, n_rows = int(self._n_weights.get(key[0], 0)), rows.groupby("prompt").size()
        return [
            f"thermodynamics: {n_rows.get(prompt, 0)} rows for {_shown((*key, prompt))}, expected {wanted}"
            for (prompt,) in expected
            if wanted == 0 or n_rows.get(prompt, 0) != wanted
        ]

    def _members(self, name: str, key: tuple) -> list[tuple]:
        metrics = set(self._metrics)
        prompts = self._prompts[key[2]] if len(key) == len(_SET) else ()
        if name in ("scores", "scores_normalized"):
            names = score_names(self._metrics) if name == "scores" else self._metrics
            return [(metric,) for metric in names if name == "scores" or metric in GRADIENT_FLOW]
        if name == "gains":
            return [(prompt, variant) for prompt in prompts for variant in VARIANTS]
        if name == "hypotheses":
            return [(variant,) for variant in VARIANTS]
        if name == "isf_spectra":
            return [(rank,) for rank in range(1, len(prompts) + 1)] if "isf" in metrics else []
        needed = {"prompts": _PER_PROMPT, "layers": _WITH_LAYERS}.get(name)
        return [(prompt,) for prompt in prompts] if needed is None or metrics & set(needed) else []


def _without_kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out scores by kind of map (temperature_query): which kinds there are is the model's affair."""
    prefixes = tuple(f"{score}_" for score in THERMODYNAMICS)
    return table[~table.metric.str.startswith(prefixes)] if "metric" in table else table


def _shown(key: tuple) -> str:
    return " / ".join(map(str, key))
