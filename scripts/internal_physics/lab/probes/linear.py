"""A linear probe: multinomial logistic regression on frozen features, in float64."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

PENALTY = 1e-4
MOST_ITERATIONS = 300


@dataclass(frozen=True)
class LinearProbe:
    """Class scores = standardised features @ weights + biases.

    Attributes:
        means, scales: [d] of the features that it was fitted on.
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

    Args:
        features: [n, d], n ≥ 1; a feature that never changes counts nothing.
        labels: [n] integers in 0..n_classes - 1.
        n_classes: how many classes the probe tells apart; some may not occur.
    """
    means, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scales = np.where(spread > 0, spread, 1.0)
    inputs = np.hstack([(features - means) / scales, np.ones((len(features), 1))])
    targets = np.eye(n_classes)[labels]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(-1, n_classes)
        logs = log_softmax(inputs @ weights, axis=1)
        penalised = np.vstack([weights[:-1], np.zeros((1, n_classes))])
        value = -(targets * logs).sum() / len(inputs) + PENALTY / 2 * (penalised**2).sum()
        gradient = inputs.T @ (np.exp(logs) - targets) / len(inputs) + PENALTY * penalised
        return value, gradient.ravel()

    start = np.zeros(inputs.shape[1] * n_classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS}).x
    fitted = found.reshape(-1, n_classes)
    return LinearProbe(means, scales, fitted[:-1], fitted[-1])
