"""Who is read at which place of a training that reads everybody again and again, each time in a new order."""

from functools import lru_cache

import numpy as np

from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import generator


def members_at(places: np.ndarray, n: int, seed: int, purpose: str) -> np.ndarray:
    """int64: which of n members comes at each place 0, 1, … Every pass of n places has each of them once.

    Args:
        places: int64, of one step, at least one, ascending: few passes.
        n: members.
        seed: of the orders.
        purpose: what is read; each purpose has orders of its own.
    """
    passes = places // n
    if passes[0] == passes[-1]:
        return _order(n, seed, purpose, int(passes[0]))[places % n]
    orders = {int(number): _order(n, seed, purpose, int(number)) for number in np.unique(passes)}
    return np.array([orders[int(number)][place % n] for number, place in zip(passes, places, strict=True)])


@lru_cache(maxsize=64)
def _order(n: int, seed: int, purpose: str, number: int) -> np.ndarray:
    return generator(seed, purpose, str(number)).permutation(n)


def steps_for(n: int, exposures: int, per_step: int, where: str) -> int:
    """Steps in which each of n members comes exactly `exposures` times.

    Raises:
        ConfigError: if they do not fill whole steps, because exposures are counted, not rounded.
    """
    steps, rest = divmod(n * exposures, per_step)
    if rest or not steps:
        raise ConfigError(
            f"{n} people with {exposures} exposures do not fill whole steps of {per_step} texts",
            where=where,
            expected=f"people times exposures a multiple of {per_step}",
            todo="change exposures, people, or the texts of a step",
        )
    return steps
