"""The description of the family scores: the tables that all metrics share."""

from internal_physics.families.family import Family, Figure, Per
from internal_physics.families.scores.tables import CORRELATIONS, LAYERS, PROMPTS, SCORES, SCORES_NORMALIZED

FAMILY = Family(
    name="scores",
    title="Scores",
    tables={SCORES: (), SCORES_NORMALIZED: (), PROMPTS: (), LAYERS: (), CORRELATIONS: ()},
    figures=(Figure("correlation_matrix", Per.RUN, tables=("correlations",)),),
)
