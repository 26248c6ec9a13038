"""What the family of scores is: the tables that all metrics share."""

from internal_physics.families.family import Family, Figure, Per

FAMILY = Family(
    name="scores",
    title="Scores",
    tables={"scores": (), "scores_normalized": (), "prompts": (), "layers": (), "correlations": ()},
    figures=(Figure("correlation_matrix", Per.RUN, tables=("correlations",)),),
)
