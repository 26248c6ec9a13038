"""The description of the family residual_gain."""

from internal_physics.families.family import Family, Figure, Metric, Per
from internal_physics.families.residual_gain.quantities import QUANTITIES
from internal_physics.families.residual_gain.tables import GAINS, HYPOTHESES

ASKED = (("residual_gain",),)

FAMILY = Family(
    name="residual_gain",
    title="Residual gain against uncertainty",
    findings_tables=("hypotheses",),
    metrics=(
        Metric(
            "residual_gain",
            "Residual gain",
            "internal_physics.families.residual_gain.residual_gain",
            layer_quantities=QUANTITIES,
            published=("results/residual_gain/{model}.json",),
        ),
    ),
    caption_facts="internal_physics.families.residual_gain.sentences",
    caption_tables=("hypotheses",),
    tables={GAINS: ASKED, HYPOTHESES: ASKED},
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
