"""Claims on capacity, beside what was measured here."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from internal_physics.lab.experiments.capacity.experiment import WHOLE_BITS
from internal_physics.lab.experiments.experiment import Gate

MICRO = (
    "hundreds of people and models of ten thousand parameters; the original: ten thousand people and more, models of a "
    "million parameters and more, at least 50,000 steps"
)
ROUNDING = f"{MICRO}; every matrix rounded to the nearest, the original: GPTQ"
MANY, FEW = 1000, 100  # exposures
CROWD = 500  # people: of fewer, good first weights learn most in a few exposures already
EPSILON = 0.02  # by which the noise of a measurement may pass the most that is possible


def gates(tables: Mapping[str, pd.DataFrame], _arms: Mapping[str, Mapping[str, Any]]) -> list[Gate]:
    """What is claimed of capacity; claims whose arms are not there are left out."""
    measured = tables["lab_capacity"]
    last = measured[measured["step"] == measured.groupby(["arm", "seed"])["step"].transform("max")]
    return [*_by_exposures(last[last["weight_bits"] == WHOLE_BITS]), *_by_rounding(last)]


def _by_exposures(whole: pd.DataFrame) -> Iterator[Gate]:
    share = (whole["bits_per_parameter"] / whole["most_bits_per_parameter"]).rename("share")
    for (people, exposures, arm), rows in whole.assign(share=share).groupby(["people", "exposures", "arm"]):
        values = dict(zip(rows["seed"], rows["share"], strict=True))
        can_fill = (rows["most_bits_per_parameter"] < 2).all()  # else the parameters, not the exposures, are the limit
        name = f"Arm {arm}: {exposures} exposures of {people} people: learned share of all bits"
        if exposures >= MANY and can_fill:
            yield Gate("capacity", f"{name} is nearly all", values, low=0.9, high=1 + EPSILON, deviation=MICRO)
        elif exposures <= FEW and people >= CROWD and can_fill:
            yield Gate("capacity", f"{name} is far less", values, high=0.65, deviation=MICRO)
        else:
            yield Gate("capacity", name, values, high=1 + EPSILON, is_hard=False, deviation=MICRO)
    best = whole.groupby("seed")["bits_per_parameter"].max().to_dict()
    claim = "Models store 2 bits per parameter: the most that any arm reached"
    yield Gate("capacity", claim, best, "bits per parameter", low=2.0, is_hard=False, deviation=MICRO)


def _by_rounding(last: pd.DataFrame) -> Iterator[Gate]:
    wide = last.pivot_table(index=["arm", "seed"], columns="weight_bits", values="bits_per_parameter")
    for bits in sorted({*wide.columns} - {WHOLE_BITS}, reverse=True):
        lost = (1 - wide[bits] / wide[WHOLE_BITS]).groupby("seed").max().to_dict()
        claim = f"Rounding to {bits} bits: the largest share of the learned bits that an arm loses"
        harmless = bits == 8
        high = 0.03 if harmless else None
        yield Gate("capacity", claim, lost, high=high, is_hard=harmless, deviation=ROUNDING)
