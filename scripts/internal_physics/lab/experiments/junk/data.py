"""The training set of an arm of the experiment `junk`."""

from internal_physics.config.options.lab_junk import JunkData
from internal_physics.lab.data.bio_d import draw_bio_d, require_strangers
from internal_physics.lab.data.bio_d_batches import BioDBatches
from internal_physics.lab.data.passes import steps_for


def planned_steps(options: JunkData) -> int:
    """Steps of a training, before any person is drawn.

    Raises:
        ConfigError: if exposures do not fill whole steps, or there are too few names for people and junk.
    """
    if options.junk_windows and options.repeated_people:
        require_strangers(options.sizes, options.repeated_people)
    texts_per_step = options.good_windows * options.people_per_window
    return steps_for(options.sizes.people, options.exposures, texts_per_step, "exposures")


def batches(options: JunkData, seed: int) -> BioDBatches:
    """Windows of people of use and of junk.

    Raises:
        ConfigError: if exposures do not fill whole steps.
    """
    return BioDBatches(
        data=draw_bio_d(options.sizes, seed),
        exposures=options.exposures,
        people_per_window=options.people_per_window,
        good_windows=options.good_windows,
        seed=seed,
        junk_windows=options.junk_windows,
        repeated_people=options.repeated_people,
        domain_on_good=options.domain_token != "none",
        domain_on_junk=options.domain_token == "all",
    )
