"""The training set of an arm of the experiment `junk`."""

from internal_physics.config.options.lab_junk import JunkData
from internal_physics.lab.data.bio_d import draw_bio_d
from internal_physics.lab.data.bio_d_batches import BioDBatches


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
