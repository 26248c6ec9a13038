"""What a gradient step on one prompt does to the losses of all prompts, to first order in its size."""

import numpy as np
from numpy.typing import NDArray


def loss_changes_nats(kernel: NDArray[np.float64], step_on: int, step_size: float) -> NDArray[np.float64]:
    """[N] predicted changes of the losses, −η·K(p, q), after one step θ ← θ − η·∂loss_q/∂θ. The error falls as η².

    Args:
        kernel: [N, N], over the weights that take part in the step.
        step_on: q.
        step_size: η, in squared weights per nat.
    """
    return -step_size * kernel[:, step_on]
