"""The description of the family drift."""

# >>> table
from internal_physics.families.drift.drift_turns import TABLE as DRIFT_TURNS

# <<< table
from internal_physics.families.family import Family, Figure, Metric, Per, Score
from internal_physics.tables.table import Quantity

ASKED = (("drift",),)

FAMILY = Family(
    name="drift",
    title="Drift from the embedding",
    metrics=(
        Metric(
            "drift",
            "Drift",
            "internal_physics.families.drift.drift",
            score=Score.PROMPT,
            scores=("drift",),
            layer_quantities=(Quantity("embedding_cosine", low=-1, high=1),),
        ),
    ),
    # >>> figure
    figures=(
        Figure("drift_profile", Per.PROMPT_SET, tables=("layers",), params=("models", "prompt_sets"), needs=ASKED),
    ),
    # <<< figure
    # >>> table
    tables={DRIFT_TURNS: ASKED},
    from_metric={"drift_turns": "drift"},
    # <<< table
)
