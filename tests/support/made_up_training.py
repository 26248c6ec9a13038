"""Made-up checkpoints of two trainings, and the tables along their steps."""

import numpy as np
import pandas as pd
from internal_physics.families.kernel.tables import KERNEL, KERNEL_SUMMARY
from internal_physics.families.training.along import along_training
from internal_physics.families.training.kernels import kernels_along_training
from internal_physics.families.training.tables import TRAINING, TRAINING_KERNELS
from internal_physics.ground.status import OK
from internal_physics.tables.conform import conform

STEPS = (0, 100, 200, 400, 800, 1600)
MODEL_ROWS = [*(("slow", step) for step in STEPS), *(("fast", step) for step in STEPS[:3]), (None, None)]
NAMES = [f"{parent}-{step}" if parent else "alone" for parent, step in MODEL_ROWS]
TABLE_OF_MODELS = pd.DataFrame(
    [{"model": name, "parent": parent, "step": step} for name, (parent, step) in zip(NAMES, MODEL_ROWS, strict=True)]
)
JUMP = dict(zip(NAMES, (1.0, 1.01, 0.99, 5.0, 5.02, 4.99, 1.0, 2.0, 3.0, 7.0), strict=True))


def scores():
    return pd.DataFrame(
        {
            "model": model,
            "condition": condition,
            "prompt_set": "facts",
            "metric": "ec",
            "unit": "1",
            "value": value + 10 * (condition != "baseline"),
            "ci_low": value - 0.1,
            "ci_high": value + 0.1,
            "n_prompts": 3,
            "status": OK,
        }
        for model, value in JUMP.items()
        for condition in ("baseline", "pushed")
    )


def prompts():
    return pd.DataFrame(
        {
            "model": model,
            "condition": "baseline",
            "prompt_set": "facts",
            "prompt": f"p{i}",
            "loss_nats": np.nan if model == "fast-0" or i == 2 else 4.0 + i,
        }
        for model in NAMES
        for i in range(3)
    )


def kernel_rows(matrices):
    rows = [
        {
            "model": model,
            "condition": "baseline",
            "source": "factors",
            "prompt_set": "facts",
            "prompt": f"p{i}",
            "other_prompt_set": "facts",
            "other_prompt": f"p{j}",
            "value": matrix[i, j],
            "standard_error": 0.0,
            "cosine": 0.0,
            "status": OK,
        }
        for model, matrix in matrices.items()
        for i in range(len(matrix))
        for j in range(i, len(matrix))
    ]
    return pd.DataFrame(rows, columns=list(KERNEL.columns))


def summary(models):
    rows = [{"model": model, "condition": "baseline", "source": "factors", "effective_rank": 2.5} for model in models]
    return pd.DataFrame(rows, columns=list(KERNEL_SUMMARY.columns))


def random_kernels(names, sizes):
    rng = np.random.default_rng(0)
    found = {}
    for name, n in zip(names, sizes, strict=True):
        half = rng.normal(size=(n, 6))
        found[name] = half @ half.T
    return found


def make_training():
    """The table `training` of all checkpoints."""
    found = along_training({"scores": scores(), "prompts": prompts()}, TABLE_OF_MODELS, penalty=2)
    return conform(found.reindex(columns=list(TRAINING.columns)), TRAINING)


def make_training_kernels():
    """The table `training_kernels` of six checkpoints with random kernels of four prompts."""
    names = NAMES[:6]
    found = kernels_along_training(kernel_rows(random_kernels(names, [4] * 6)), summary(names), TABLE_OF_MODELS, 2)
    return conform(found.reindex(columns=list(TRAINING_KERNELS.columns)), TRAINING_KERNELS)
