"""How large a step is: a warm-up, then a fall along a cosine or a line."""

import math

from internal_physics.config.options.lab_training import TrainingOptions


def share_of_rate(step: int, n_steps: int, options: TrainingOptions) -> float:
    """What share of the largest learning rate the update of a step has, 0..1.

    Args:
        step: 0..n_steps - 1.
        n_steps: of the whole training.
        options: warmup_share, schedule, decay_share and final_share.
    """
    n_warm = options.warmup_share * n_steps
    if step < n_warm:
        return (step + 1) / max(n_warm, 1.0)
    begin = max(n_warm, n_steps * (1 - min(options.decay_share, 1.0)))
    if options.schedule == "constant" or step < begin:
        return 1.0
    passed = (step - begin) / max(n_steps - begin, 1.0)
    fall = 0.5 * (1 + math.cos(math.pi * passed)) if options.schedule == "cosine" else 1 - passed
    return options.final_share + (1 - options.final_share) * fall
