"""Change points along depth: where the state of one kind of map leaves one plateau for another.

Kernel change-point detection with a linear kernel, that is, least-squares plateaus, solved exactly by PELT. Sources:
Killick, Fearnhead and Eckley (2012); the ruptures package (Truong, Oudre and Vayatis 2020).
"""

from collections.abc import Mapping

import numpy as np
import ruptures

SIGNALS = ("temperature", "entropy_nats", "energy", "free_energy")
SHORTEST = 2  # layers of a plateau
MAX_SHUFFLES = 99  # of each prompt; a share needs fewer than a p-value


def change_points(signal: np.ndarray, penalty: float) -> np.ndarray:
    """Whether a new plateau begins at each place of a signal [n, quantity].

    Quantities are standardized, constant ones left out; a change must save `penalty`·d·ln n of the n·d units of
    variance there are. Fewer than four places, or a value that is not finite: no change points.
    """
    begins = np.zeros(len(signal), dtype=bool)
    if len(signal) < 2 * SHORTEST:
        return begins
    scaled = _standardize(signal)
    n, d = scaled.shape
    if d == 0 or not np.isfinite(scaled).all():
        return begins
    detector = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(scaled)
    ends = detector.predict(pen=penalty * d * np.log(n))
    begins[ends[:-1]] = True
    return begins


def change_shares(
    state: Mapping[str, np.ndarray], penalty: float, n_permutations: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Share of the prompts with a change at each place, [n], and the mean share when layers are shuffled.

    Args:
        state: arrays [prompt, n] of the quantities; the temperature is taken as its logarithm.
        penalty: see `change_points`.
        n_permutations: shuffles per prompt, at most 99 are used.
        rng: of the shuffles.
    """
    signals = _signals(state)
    share = np.mean([change_points(signal, penalty) for signal in signals], axis=0)
    shuffled = [
        change_points(rng.permutation(signal), penalty)[1:-1].mean()
        for signal in signals
        for _ in range(min(n_permutations, MAX_SHUFFLES))
    ]
    return share, float(np.mean(shuffled))


def _signals(state: Mapping[str, np.ndarray]) -> np.ndarray:
    """[prompt, n, quantity]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [np.log(state[q]) if q == "temperature" else state[q] for q in SIGNALS]
    return np.stack(columns, axis=-1)


def _standardize(signal: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        spread = signal.std(axis=0)
        varies = ~(spread <= 1e-12 * np.abs(signal).max(axis=0, initial=0.0))
        return (signal[:, varies] - signal[:, varies].mean(axis=0)) / spread[varies]
