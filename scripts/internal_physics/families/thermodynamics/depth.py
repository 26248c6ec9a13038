"""Derivatives of thermodynamic quantities from one weight to the next: along depth, or in the published order.

Index conventions: i place in a sequence 0..n-1. A derivative is the central difference (xᵢ₊₁ - xᵢ₋₁)/2, undefined at
both ends. `order: depth` has one sequence for each map that every block repeats; `order: name` has a single one, all
weights sorted by name as text, so that layer 10 follows layer 1. Experts are in no sequence: their numbers are
arbitrary, so that expert 3 of one block has nothing to do with expert 3 of the next.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from internal_physics.models.kinds import expert_of, family_of

ORDERS = ("depth", "name")
EPSILON = 1e-6
STATE = ("temperature", "entropy_nats", "energy", "free_energy", "gradient_norm")
DERIVED = (
    *(f"d_{quantity}" for quantity in STATE),
    "specific_heat",
    "susceptibility",
    "compressibility",
)


def sequences(names: Sequence[str], layers: Sequence[int], order: str) -> list[np.ndarray]:
    """Places of the weights in each sequence, in its order; together each weight that is no expert's exactly once.

    Raises:
        ValueError: for an unknown order.
    """
    ordered = [i for i, name in enumerate(names) if expert_of(name) is None]
    if order == "name":
        return [np.array(sorted(ordered, key=lambda i: names[i]), dtype=int)]
    if order != "depth":
        raise ValueError(f"order is {order!r}: expected one of {', '.join(ORDERS)}")
    families: dict[str, list[int]] = {}
    for i in ordered:
        families.setdefault(family_of(names[i], layers[i]), []).append(i)
    return [np.array(sorted(members, key=lambda i: layers[i]), dtype=int) for members in families.values()]


def central_difference(values: np.ndarray) -> np.ndarray:
    """(xᵢ₊₁ - xᵢ₋₁)/2 along the last axis, of the same shape; NaN at both ends."""
    found = np.full(values.shape, np.nan)
    if values.shape[-1] > 2:
        with np.errstate(invalid="ignore"):
            found[..., 1:-1] = (values[..., 2:] - values[..., :-2]) / 2
    return found


def derive(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All of `DERIVED` from the arrays [..., n] of `STATE` along one sequence.

    specific_heat = dE/(dT + 1e-6), susceptibility = d‖G‖/(dT + 1e-6), compressibility = -dS/(dF + 1e-6): the published
    definitions, whose 1e-6 keeps its sign, so that a quotient is infinite where a difference is -1e-6 exactly.
    """
    found = {f"d_{quantity}": central_difference(state[quantity]) for quantity in STATE}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        over_temperature = found["d_temperature"] + EPSILON
        found["specific_heat"] = found["d_energy"] / over_temperature
        found["susceptibility"] = found["d_gradient_norm"] / over_temperature
        found["compressibility"] = -found["d_entropy_nats"] / (found["d_free_energy"] + EPSILON)
    return found
