"""The description of the family routing: which experts a prompt uses."""

from internal_physics.families.family import Family, Figure, Metric, Per
from internal_physics.families.routing.tables import EXPERT_LOADS, ROUTING

ASKED = (("routing",),)

FAMILY = Family(
    name="routing",
    title="Routing to experts",
    metrics=(
        Metric(
            "routing",
            "Routing",
            "internal_physics.families.routing.routed",
            in_layers=False,
            between_conditions=False,
        ),
    ),
    tables={ROUTING: ASKED, EXPERT_LOADS: ASKED},
    from_metric={"routing": "routing", "expert_loads": "routing"},
    figures=(
        Figure(
            "expert_load",
            Per.PROMPT_SET,
            tables=("expert_loads",),
            params=("models", "prompt_sets"),
            needs=ASKED,
            only_with="expert_loads",
        ),
    ),
)
