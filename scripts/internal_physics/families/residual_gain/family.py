"""What the family of the residual gain is."""

from internal_physics.families.family import Family, Figure, Metric, Per

ASKED = (("residual_gain",),)

FAMILY = Family(
    name="residual_gain",
    title="Residual gain against uncertainty",
    metrics=(Metric("residual_gain", "Residual gain", "internal_physics.families.residual_gain.residual_gain"),),
    caption_facts="internal_physics.families.residual_gain.sentences",
    caption_tables=("hypotheses",),
    tables={"gains": ASKED, "hypotheses": ASKED},
    figures=(
        Figure(
            "gain_panels",
            Per.MODEL,
            tables=("gains", "layers", "hypotheses"),
            params=("models", "seed", "statistics"),
            needs=ASKED,
        ),
        Figure("gain_heatmap", Per.RUN, tables=("hypotheses",), params=("models",), needs=ASKED),
    ),
)
