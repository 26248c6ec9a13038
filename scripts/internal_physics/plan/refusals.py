"""All checks of a config before any work, in their order: one list for the command line and for Snakemake."""

from internal_physics.config.load import Config
from internal_physics.plan.lab_requirements import refuse_impossible_arms, refuse_steps_after_the_last
from internal_physics.plan.requirements import refuse_missing_models, refuse_unmet_requirements

SNAPSHOTS = "results/snapshots"


def refuse_what_cannot_run(config: Config, where: str) -> None:
    """Refuse a loaded config of which a job would fail.

    Args:
        config: as `load_config` gives it.
        where: its name, for messages.

    Raises:
        UserError: naming the first option, arm or model that does not work, and what to do.
    """
    refuse_unmet_requirements(config, where)
    refuse_impossible_arms(config.arms, config.raw["lab"]["measures"], where)
    refuse_steps_after_the_last(config.sources, config.arms, where)
    refuse_missing_models(config, where, SNAPSHOTS)
