"""torch → numpy, in one place."""

import numpy as np
import torch


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """On the CPU; float64 if it was float64 and float32 otherwise; shares memory where nothing has to change."""
    return tensor.detach().to("cpu", torch.float64 if tensor.dtype == torch.float64 else torch.float32).numpy()
