"""How large a step is: a warm-up, then a fall along a cosine or a line; and after which steps a model is kept."""

import math

from internal_physics.config.options.lab_training import TrainingOptions
from internal_physics.ground.errors import ConfigError


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


def snapshot_steps(options: TrainingOptions, n_steps: int) -> tuple[int, ...]:
    """The steps after which a snapshot is kept, in order; the last step is always one.

    Raises:
        ConfigError: for one after the last step.
    """
    late = [step for step in options.snapshots if step > n_steps]
    if late:
        raise ConfigError(
            f"a snapshot after step {late[0]}",
            where="training → snapshots",
            expected=f"0..{n_steps}, the steps of the training",
            todo="leave it out, or train longer",
        )
    return tuple(sorted({*options.snapshots, n_steps}))
