"""Rule phases: where along depth weights are flagged, whether prompts agree, and what shuffled layers would give.

Index conventions: p prompt of a set; i place in a sequence of weights (see depth.py); k shuffle.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from internal_physics.families.thermodynamics.change_points import change_shares
from internal_physics.families.thermodynamics.depth import DERIVED, STATE, derive, sequences
from internal_physics.families.thermodynamics.flags import ALL_KINDS, FLAGS, flag
from internal_physics.families.thermodynamics.options import FlagRules, PhaseOptions
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK, join_status
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY

CHANGE_POINT = "change_point"
NOTHING_FINITE = "no weight of the sequence has a finite temperature: no flags"
_FEWEST = 3  # weights of a sequence, for one of them to have a derivative
_BATCH_ELEMENTS = 2**21


class Phases(NamedTuple):
    """Results of the rule.

    Attributes:
        flags: one row per row of the states, in their order: prompt_set, prompt, parameter and the four flags.
        layers: share of the prompts that flag a weight, and the share that shuffled layers would give.
        counts: by kind of map and for all kinds, flagged weights per prompt against shuffled layers, with a permutation
            p-value.
    """

    flags: pd.DataFrame
    layers: pd.DataFrame
    counts: pd.DataFrame


class _Series(NamedTuple):
    """One sequence of weights on all prompts of a set: places [n] in the set's table, state arrays [p, n]."""

    parameters: np.ndarray
    kind: str
    state: dict[str, np.ndarray]


class _Shuffled(NamedTuple):
    """Flags of shuffled layers: share of the prompts that flag a place, and flagged places per prompt, [k]."""

    share: float
    counts: np.ndarray


def phases(states: pd.DataFrame, options: PhaseOptions, *, seed: int) -> Phases:
    """Flags, their agreement between prompts, a permutation baseline and change points, for each prompt set.

    Args:
        states: states of rule thermodynamics of one model and condition, derivatives of the same order.
        options: order of the weights, rules of the flags, shuffles, cost of a change point.
        seed: of the shuffles.

    Returns:
        Tables without rows for weights that have no neighbors in depth (embeddings, readout): they have no derivative.
    """
    layers, counts = [], []
    for keys, group in states.groupby(SET_KEY, sort=False):
        found = _phases_of_set(group, options, seed_of(seed, "phases", *keys))
        labels = dict(zip(SET_KEY, keys, strict=True))
        layers.append(found[0].assign(**labels))
        counts.append(found[1].assign(**labels))
    return Phases(flag_states(states, options), pd.concat(layers), pd.concat(counts))


def phases_by_set(
    states: Iterable[pd.DataFrame], options: PhaseOptions, *, seed: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of one prompt set after the other: its `flags`, `layers` and `counts`, from the states of each set."""
    for of_set in states:
        yield from phases(of_set, options, seed=seed)._asdict().items()


def flag_states(states: pd.DataFrame, options: PhaseOptions) -> pd.DataFrame:
    """The four flags of every row, from its own derivatives; z-scores against its sequence on the same prompt."""
    flags = {name: np.zeros(len(states), dtype=bool) for name in FLAGS}
    row = np.arange(len(states))
    for _, group in states.assign(_row=row).groupby(PROMPT_KEY, sort=False):
        for places in sequences(list(group.parameter), list(group.layer), options.order):
            rows = group["_row"].to_numpy()[places]
            derived = {name: states[name].to_numpy()[rows] for name in DERIVED}
            for name, values in flag(derived, options).items():
                flags[name][rows] = values
    keys = states[[*PROMPT_KEY, "parameter"]].reset_index(drop=True)
    return keys.assign(**flags)


def _phases_of_set(states: pd.DataFrame, options: PhaseOptions, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the tables of one prompt set.

    Sequences of the same length share their shuffles: as if whole layers changed places. So the sum over kinds has a
    p-value that is right however kinds hang together.
    """
    layers: list[dict[str, Any]] = []
    counts: dict[tuple[str, str], list[tuple[float, int, np.ndarray]]] = {}
    usable: set[str] = set()  # kinds with a derivative
    n_prompts = states["prompt"].nunique()
    for series in _series(states, options.order):
        derived = derive(series.state)
        observed, status = flag(derived, options), _status(derived["d_temperature"])
        usable |= {series.kind} if status == OK else set()
        shuffled = shuffle_flags(series.state, options, options.n_permutations, np.random.default_rng(seed))
        for name in FLAGS:
            share = observed[name].mean(axis=0)
            layers += _layer_rows(series, name, share, shuffled[name].share, status)
            found = (float(observed[name].sum(axis=1).mean()), len(share) - 2, shuffled[name].counts)
            counts.setdefault((series.kind, name), []).append(found)
    rng = np.random.default_rng(seed)
    for series in _series(states, "depth"):
        share, expected = change_shares(series.state, options.change_penalty, options.n_permutations, rng)
        layers += _layer_rows(series, CHANGE_POINT, share, expected, _status(series.state["temperature"]))
    places = states.drop_duplicates("parameter")[["parameter", "layer", "kind"]]
    table = pd.DataFrame(layers, columns=["parameter", "phase", "share", "expected_share", "status"])
    if len({kind for kind, _ in counts}) > 1:
        for name in FLAGS:
            counts[ALL_KINDS, name] = [part for (_, own), parts in counts.items() if own == name for part in parts]
        usable |= {ALL_KINDS} if usable else set()
    counted = [
        _count_row(kind, name, parts) | {"status": OK if kind in usable else NOTHING_FINITE}
        for (kind, name), parts in counts.items()
    ]
    columns = ["kind", "phase", "n_layers", "observed", "expected", "p_value", "status"]
    return (
        table.merge(places, on="parameter", how="left").assign(n_prompts=n_prompts),
        pd.DataFrame(counted, columns=columns).assign(n_prompts=n_prompts),
    )


def shuffle_flags(
    state: Mapping[str, np.ndarray], rules: FlagRules, n_permutations: int, rng: np.random.Generator
) -> dict[str, _Shuffled]:
    """Flags of arrays [p, n] whose places are shuffled, all quantities and prompts by the same permutation."""
    n_prompts, n = state["temperature"].shape
    step = max(1, _BATCH_ELEMENTS // (n_prompts * n))
    sums: dict[str, list[np.ndarray]] = {name: [] for name in FLAGS}
    for start in range(0, n_permutations, step):
        size = min(step, n_permutations - start)
        order = rng.permuted(np.broadcast_to(np.arange(n), (size, n)), axis=1)  # [k, n]
        mixed = {name: values[:, order] for name, values in state.items()}  # [p, k, n]
        for name, values in flag(derive(mixed), rules).items():
            sums[name].append(values.sum(axis=2).mean(axis=0))
    found = {name: np.concatenate(parts) for name, parts in sums.items()}
    return {name: _Shuffled(float(counts.mean() / (n - 2)), counts) for name, counts in found.items()}


def _series(states: pd.DataFrame, order: str) -> Iterator[_Series]:
    """Sequences long enough for a derivative, with their states as arrays over the prompts of the set."""
    places = states.drop_duplicates("parameter")
    wide = {
        quantity: states.pivot(index="prompt", columns="parameter", values=quantity)[places.parameter].to_numpy(float)
        for quantity in STATE
    }
    for along in sequences(list(places.parameter), list(places.layer), order):
        if len(along) >= _FEWEST:
            kinds = set(places.kind.to_numpy()[along])
            kind = kinds.pop() if len(kinds) == 1 else "all"
            arrays = {quantity: table[:, along] for quantity, table in wide.items()}
            yield _Series(places.parameter.to_numpy()[along], kind, arrays)


def _status(temperature: np.ndarray) -> str:
    """Whether any of the temperatures, or of their derivatives, is finite: without one, no flag is no result."""
    return OK if np.isfinite(temperature).any() else NOTHING_FINITE


def _layer_rows(
    series: _Series, phase: str, share: np.ndarray, expected: float, of_series: str
) -> list[dict[str, Any]]:
    """Rows of the places that have a derivative, which the two ends do not have."""
    status = join_status(of_series, OK if np.isfinite(expected) else "no baseline")
    inner = zip(series.parameters[1:-1], share[1:-1], strict=True)
    return [
        {"parameter": name, "phase": phase, "share": float(s), "expected_share": expected, "status": status}
        for name, s in inner
    ]


def _count_row(kind: str, phase: str, parts: list[tuple[float, int, np.ndarray]]) -> dict[str, Any]:
    """Sum over the sequences of a kind; the p-value is two-sided and includes the observed order."""
    observed, n_layers = sum(part[0] for part in parts), sum(part[1] for part in parts)
    shuffled = np.sum([part[2] for part in parts], axis=0)
    # Counts are means over prompts: what differs by less than a millionth of a flag is rounding.
    above, below = (np.sum(shuffled >= observed - 1e-6), np.sum(shuffled <= observed + 1e-6))
    p_value = min(1.0, 2 * (1 + min(above, below)) / (len(shuffled) + 1))
    return {
        "kind": kind,
        "phase": phase,
        "n_layers": n_layers,
        "observed": observed,
        "expected": float(shuffled.mean()),
        "p_value": float(p_value),
    }
