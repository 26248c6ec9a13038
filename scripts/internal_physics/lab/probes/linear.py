"""A linear probe: multinomial logistic regression on frozen features, in float64."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

PENALTY = 1e-4
MOST_ITERATIONS = 1000
_ROUNDING = 1e-12  # relative to a feature's largest number


@dataclass(frozen=True)
class LinearProbe:
    """Class scores = standardised features @ weights + biases.

    Attributes:
        means, scales: [d] of the features that it was fitted on; an infinite scale of one that never changes.
        weights: [d, classes].
        biases: [classes].
    """

    means: np.ndarray
    scales: np.ndarray
    weights: np.ndarray
    biases: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """[n] the likeliest class of each of [n, d] features."""
        return np.argmax((features - self.means) / self.scales @ self.weights + self.biases, axis=1)


def fit_linear_probe(features: np.ndarray, labels: np.ndarray, n_classes: int) -> LinearProbe:
    """Fit by L-BFGS to the mean cross-entropy plus a small penalty on the weights, from zero: nothing is random.

    Features of a residual are so alike that L-BFGS needs hundreds of steps, of random weights most. So it searches
    along directions that are about equally steep, which changes the way and not the end.

    Args:
        features: [n, d], n ≥ 1; a feature that never changes, up to rounding, counts nothing, whatever it is later.
        labels: [n] integers in 0..n_classes - 1.
        n_classes: how many classes the probe tells apart; some may not occur.
    """
    means, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    changes = spread > _ROUNDING * np.abs(features).max(axis=0)
    scales = np.where(changes, spread, np.inf)
    inputs = np.vstack([((features - means) / scales).T, np.ones((1, len(features)))])  # [d + 1, n]
    penalties = np.append(np.full(len(means), PENALTY), 0.0)  # none on the biases
    # The loss curves at most like this matrix, for every class: half of the second moments, and the penalty.
    curvature = inputs @ inputs.T / (2 * len(features)) + np.diag(penalties)
    root = np.linalg.cholesky(curvature)  # weights = steps @ root⁻¹, so that steps are equally steep
    directions = solve_triangular(root, np.eye(len(root)), lower=True)
    turned, targets, examples = directions @ inputs, np.eye(n_classes)[:, labels], np.arange(len(features))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        steps = flat.reshape(n_classes, -1)
        weights = steps @ directions
        logs = steps @ turned  # [class, n]
        logs -= logs.max(axis=0)
        shares = np.exp(logs)
        sums = shares.sum(axis=0)
        value = float(np.log(sums).sum() - logs[labels, examples].sum()) / len(features)
        shares /= sums
        gradient = (shares - targets) @ turned.T / len(features) + weights * penalties @ directions.T
        return value + float((weights**2 @ penalties).sum()) / 2, gradient.ravel()

    start = np.zeros(n_classes * len(inputs))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS}).x
    fitted = (found.reshape(n_classes, -1) @ directions).T  # [d + 1, class]
    return LinearProbe(means, scales, fitted[:-1], fitted[-1])
