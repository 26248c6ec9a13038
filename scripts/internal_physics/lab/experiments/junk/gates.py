"""Claims on junk data and the domain token, beside what was measured here."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.lab.experiments.experiment import Gate

MICRO = (
    "200 people and a model of 33,000 parameters; the original: 50,000 people and more, and factors of loss: 20 by "
    "junk, 2 with the domain token, at 100 exposures"
)
Shares = Mapping[str, Mapping[int, float]]


def gates(tables: Mapping[str, pd.DataFrame], _arms: Mapping[str, Mapping[str, Any]]) -> list[Gate]:
    """What is claimed of junk, by exposures; claims whose arms are not there are left out."""
    measured = tables["lab_junk"]
    last = measured[measured["step"] == measured.groupby(["arm", "seed"])["step"].transform("max")]
    found = []
    for exposures, rows in last.groupby("exposures"):
        shares = {
            str(kind): of_kind.groupby("seed")["value_share"].mean().to_dict()
            for kind, of_kind in rows.groupby("mixture")
        }
        found += [*_harm(shares, int(exposures)), *_repair(shares, int(exposures))]
    return found


def _harm(shares: Shares, exposures: int) -> Iterator[Gate]:
    few = exposures <= 100
    after = f"after {exposures} exposures"
    if good := shares.get("good_only"):
        yield Gate("junk", f"Without junk: learned share of the value bits {after}", good, low=0.8, deviation=MICRO)
    if junk := shares.get("junk"):
        claim = f"With junk: learned share of the value bits {after}"
        yield Gate("junk", claim, junk, high=0.2 if few else None, is_hard=few, deviation=MICRO)
    ratio = _ratio(shares, "good_only", "junk")
    if ratio:
        claim = f"How many times more value bits are learned without junk {after}"
        yield Gate("junk", claim, ratio, is_hard=False, deviation=MICRO)
    if repeated := _ratio(shares, "junk_repeated", "good_only"):
        claim = f"Junk about a few people again and again does no harm: value bits over those without junk {after}"
        yield Gate("junk", claim, repeated, low=0.9, deviation=MICRO)


def _repair(shares: Shares, exposures: int) -> Iterator[Gate]:
    after = f"after {exposures} exposures"
    if ratio := _ratio(shares, "junk_domain_on_good", "junk"):
        claim = f"A domain token before texts of use repairs it: value bits over those with junk alone {after}"
        yield Gate("junk", claim, ratio, low=3.0, is_hard=exposures <= 100, deviation=MICRO)
    if repaired := shares.get("junk_domain_on_good"):
        claim = f"With junk and the domain token: learned share of the value bits {after}"
        yield Gate("junk", claim, repaired, low=0.2, deviation=MICRO)
    if control := shares.get("junk_domain_on_all"):
        claim = f"A token before all texts, which tells nothing, repairs nothing: learned share {after}"
        yield Gate("junk", claim, control, high=0.2, is_hard=exposures <= 100, deviation=MICRO)


def _ratio(shares: Shares, more: str, less: str) -> dict[int, float]:
    """Seed → ratio; infinite where the smaller number is not above 0, since nothing at all was learned there."""
    seeds = sorted({*shares.get(more, {})} & {*shares.get(less, {})})
    pairs = {seed: (shares[more][seed], shares[less][seed]) for seed in seeds}
    return {seed: over / under if under > 0 else np.inf for seed, (over, under) in pairs.items()}
