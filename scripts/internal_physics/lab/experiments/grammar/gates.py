"""Claims on grammars, beside what was measured here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from internal_physics.lab.experiments.experiment import Gate

MICRO = (
    "a part of the grammar with strings of 8 to 27 tokens, 3 blocks of width 64 and 2,400 steps; the original: whole "
)
MICRO += "strings, 12 blocks of width 768 and 100,000 steps"
PROBED = "a plain linear probe; the original weights residuals of several tokens"
BAR_OF_PROBES = 0.15


def gates(tables: Mapping[str, pd.DataFrame], arms: Mapping[str, Mapping[str, Any]]) -> list[Gate]:
    """What is claimed of models of grammars; claims whose arms are not there are left out."""
    learned, probes = tables["lab_grammar"], tables["lab_grammar_probes"]
    attended = _attended(tables["lab_grammar_attention"], arms)
    return [*_by_attention(learned, arms), *_probes(probes, arms), *_masked(probes, arms), *attended]


def _by_attention(learned: pd.DataFrame, arms: Mapping[str, Mapping[str, Any]]) -> Iterator[Gate]:
    absolute, uniform, rotary = (_arm_of(arms, kind) for kind in ("absolute", "uniform", "rotary"))
    distance = _last_of(learned, "kl_nats")
    if absolute and uniform:
        yield Gate(
            "grammar",
            "Uniform attention, which has no queries and no keys, is nearer to the grammar than learned absolute "
            "positions: KL of the latter minus that of the former",
            _difference(distance, absolute, uniform),
            unit="nats per token",
            low=0.0,
            deviation=MICRO,
        )
    if absolute and rotary:
        yield Gate(
            "grammar",
            "Rotary attention is nearer to the grammar than learned absolute positions: difference of KL",
            _difference(distance, absolute, rotary),
            unit="nats per token",
            low=0.0,
            is_hard=False,
            deviation=MICRO,
        )


def _probes(probes: pd.DataFrame, arms: Mapping[str, Mapping[str, Any]]) -> Iterator[Gate]:
    for arm in sorted(set(probes["arm"]) & set(arms)):
        model, of_arm = arms[arm]["model"], _at_ends(probes[probes["arm"] == arm])
        found, random = _accuracies(of_arm), of_arm[of_arm["weights"] == "random"].set_index(["level", "seed"])
        spread = _by_level(random["accuracy_std"])
        models = f"models that learned nothing (mean of {random['n_draws'].max()})"
        gains = _by_level(found["trained"] - found["random"])
        removed = _by_level((found["trained"] - found["random"]) / (1 - found["random"]))
        is_rotary = model["attention"] == "rotary" and not model["masked"]
        for level, values in gains.items():
            yield Gate(
                "grammar",
                f"Arm {arm}: the symbol of level {level} can be read off the last residual at the end of its subtree: "
                f"accuracy above that of {models}",
                values,
                low=BAR_OF_PROBES,
                is_hard=is_rotary,
                deviation=f"{MICRO}; {PROBED}",
            )
            if is_rotary:
                reported = {
                    f"share of a probe's errors on {models} which training removes": removed[level],
                    f"what a probe tells of {models}: standard deviation over these": spread[level],
                }
                for claim, numbers in reported.items():
                    yield Gate(
                        "grammar",
                        f"Arm {arm}: {claim}, level {level}",
                        numbers,
                        is_hard=False,
                        deviation=f"{MICRO}; {PROBED}",
                    )


def _masked(probes: pd.DataFrame, arms: Mapping[str, Mapping[str, Any]]) -> Iterator[Gate]:
    """Does a model that fills gaps know less of the level nearest to the root than one that goes on?"""
    names = (_arm_of(arms, "rotary"), _arm_of(arms, "rotary", masked=True))
    if not set(names) <= set(probes["arm"]):
        return
    top = probes["level"].min()
    goes_on, fills = (
        _by_level(_accuracies(_at_ends(probes[probes["arm"] == name]))["trained"]).get(top, {}) for name in names
    )
    yield Gate(
        "grammar",
        f"A masked model holds the level nearest to the root ({top}) less well than one that predicts the next token: "
        "accuracy of the probe on the latter minus that on the former",
        {seed: goes_on[seed] - fills[seed] for seed in sorted(set(goes_on) & set(fills))},
        low=0.0,
        is_hard=False,
        deviation=f"{MICRO}; {PROBED}; with equal steps a masked model predicts 15 % as many tokens",
    )


def _attended(attention: pd.DataFrame, arms: Mapping[str, Mapping[str, Any]]) -> Iterator[Gate]:
    """Is the end of a subtree read more than the tokens beside it? Rotary attention, level nearest to the root."""
    arm = _arm_of(arms, "rotary")
    rows = attention[(attention["arm"] == arm) & (attention["pairs"] == "to_end")]
    if rows.empty:
        return
    rows = rows[rows["level"] == rows["level"].min()]
    means = rows.pivot_table(index="seed", columns="offset", values="excess_attention")  # over blocks
    yield Gate(
        "grammar",
        f"Arm {arm}: attention beyond what places explain goes to ends of subtrees: that to an end minus the larger of "
        "those to the tokens beside it",
        (means[0] - means[[-1, 1]].max(axis=1)).to_dict(),
        low=0.0,
        is_hard=False,
        deviation=MICRO,
    )


def _at_ends(probes: pd.DataFrame) -> pd.DataFrame:
    """The rows that are claimed: symbols at ends of subtrees, read off the last residual."""
    return probes[(probes["target"] == "symbol") & (probes["residual"] == probes["residual"].max())]


def _accuracies(of_ends: pd.DataFrame) -> pd.DataFrame:
    """Columns trained and random by (level, seed), from rows at ends."""
    return of_ends.pivot_table(index=["level", "seed"], columns="weights", values="accuracy")


def _by_level(values: pd.Series) -> dict[str, dict[int, float]]:
    """Level → seed → value."""
    return {level: values.loc[level].to_dict() for level in values.index.unique("level")}


def _arm_of(arms: Mapping[str, Mapping[str, Any]], attention: str, *, masked: bool = False) -> str:
    """The first arm with a causal (or masked) model of this attention, or ""."""
    kinds = {name: (arm["model"]["attention"], arm["model"]["masked"]) for name, arm in arms.items()}
    return next((name for name, kind in kinds.items() if kind == (attention, masked)), "")


def _last_of(learned: pd.DataFrame, column: str) -> Mapping[str, Mapping[int, float]]:
    """Arm → seed → the value after the last step, at the smallest cut."""
    rows = learned[learned["cut"] == learned["cut"].min()]
    last = rows[rows["step"] == rows.groupby(["arm", "seed"])["step"].transform("max")]
    return {str(arm): dict(zip(of_arm["seed"], of_arm[column], strict=True)) for arm, of_arm in last.groupby("arm")}


def _difference(of_arms: Mapping[str, Mapping[int, float]], more: str, less: str) -> dict[int, float]:
    seeds: Sequence[int] = sorted(set(of_arms.get(more, {})) & set(of_arms.get(less, {})))
    return {seed: of_arms[more][seed] - of_arms[less][seed] for seed in seeds}
