"""The training set of an arm of the experiment `capacity`."""

from internal_physics.config.options.lab_capacity import CapacityData
from internal_physics.lab.data.bio_d import draw_bio_d
from internal_physics.lab.data.bio_d_batches import BioDBatches
from internal_physics.lab.data.passes import steps_for


def planned_steps(options: CapacityData) -> int:
    """Steps of a training, before any person is drawn.

    Raises:
        ConfigError: if exposures do not fill whole steps.
    """
    texts_per_step = options.windows * options.people_per_window
    return steps_for(options.sizes.people, options.exposures, texts_per_step, "exposures")


def batches(options: CapacityData, seed: int) -> BioDBatches:
    """Windows of people.

    Raises:
        ConfigError: if exposures do not fill whole steps.
    """
    return BioDBatches(
        data=draw_bio_d(options.sizes, seed),
        exposures=options.exposures,
        people_per_window=options.people_per_window,
        good_windows=options.windows,
        seed=seed,
    )
