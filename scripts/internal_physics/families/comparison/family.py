"""The description of the family comparison: every steering condition against the baseline."""

from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.families.family import CONDITIONS, WATCH, Family, Figure, Needs, Per

STEERED: Needs = ((CONDITIONS,),)
LAYERS: Needs = (*STEERED, ("ec", "isc", "isa", "residual_gain"))
INFORMATION: Needs = (*STEERED, ("information",))
BY_SET = ("models", "prompt_sets")


def _along_depth(kind: str, of_layers: str, of_information: str) -> tuple[Figure, Figure]:
    """One kind of figure for the quantities of `layers`, and one for those of `information`."""
    return (
        Figure(
            kind, Per.STEERED_SET, tables=(of_layers,), params=BY_SET, options={"quantities": "layers"}, needs=LAYERS
        ),
        Figure(
            f"{kind}_information",
            Per.STEERED_SET,
            tables=(of_information,),
            params=BY_SET,
            options={"quantities": "information"},
            module=kind,
            needs=INFORMATION,
        ),
    )


FAMILY = Family(
    name="comparison",
    title="Steering",
    findings_tables=("comparisons", "conditions"),
    tables={COMPARISONS: STEERED},
    figures=(
        Figure(
            "watched_tokens",
            Per.STEERED_SET,
            tables=("comparisons",),
            params=BY_SET,
            needs=(*INFORMATION, (WATCH,)),
        ),
        Figure(
            "difference_distributions",
            Per.STEERED_SET,
            tables=("prompts",),
            params=BY_SET,
            needs=(*STEERED, ("ec", "isc", "isg", "isa")),
        ),
        *(
            figure
            for pair in zip(
                _along_depth("standard_control", "layers", "information"),
                _along_depth("layer_impact", "comparisons", "comparisons"),
                strict=True,
            )
            for figure in pair
        ),
    ),
)
