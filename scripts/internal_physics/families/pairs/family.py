"""The description of the family pairs: every two models on the same prompts."""

from internal_physics.families.family import SEVERAL, Family, Figure, Needs, Per
from internal_physics.families.pairs.tables import MODEL_PAIRS

COMPARED: Needs = ((SEVERAL,),)

FAMILY = Family(
    name="pairs",
    title="Models compared",
    findings_tables=("model_pairs", "models"),
    tables={MODEL_PAIRS: COMPARED},
    figures=(
        Figure(
            "model_differences",
            Per.RUN,
            tables=("model_pairs",),
            params=("models", "statistics"),
            needs=(*COMPARED, ("ec", "isc", "isg", "isa")),
        ),
    ),
)
