"""The description of the family thermodynamics."""

from internal_physics.families.family import Family, Figure, Metric, Per, Score
from internal_physics.families.thermodynamics.options import PhaseOptions
from internal_physics.families.thermodynamics.tables import (
    PHASE_COUNTS,
    PHASES,
    PULLS,
    PULLS_MEANS,
    SPECTRA,
    THERMODYNAMICS,
    THERMODYNAMICS_MEANS,
)

ASKED = (("thermodynamics",),)
SCORES = ("temperature", "entropy_nats", "energy", "free_energy")
BY_SET = ("models", "prompt_sets")

FAMILY = Family(
    name="thermodynamics",
    title="Thermodynamics of the weights",
    findings_tables=("pulls_means", "phase_counts"),
    options=PhaseOptions,
    metrics=(
        Metric(
            "thermodynamics",
            "Thermodynamics",
            rule="thermodynamics",
            score=Score.QUANTITIES,
            scores=SCORES,
            units={name: THERMODYNAMICS.columns[name].unit for name in SCORES},
            needs_weight_gradients=True,
            published=("results/thermodynamics/{model}.csv",),
        ),
    ),
    tables=dict.fromkeys(
        (SPECTRA, THERMODYNAMICS, THERMODYNAMICS_MEANS, PULLS, PULLS_MEANS, PHASES, PHASE_COUNTS), ASKED
    ),
    figures=(
        *(
            Figure(name, Per.PROMPT_SET, tables=(table,), params=BY_SET, needs=ASKED, mem_mb=2000)
            for name, table in {
                "pulls": "pulls_means",
                "thermodynamics_profile": "thermodynamics",
                "thermodynamics_heatmap": "thermodynamics",
                "state_diagrams": "thermodynamics",
                "phase_map": "phases",
            }.items()
        ),
        Figure(
            "expert_temperature",
            Per.PROMPT_SET,
            tables=("thermodynamics_means",),
            params=BY_SET,
            needs=(*ASKED, ("routing",)),
            only_with="expert_loads",
            mem_mb=2000,
        ),
        Figure(
            "singular_spectra",
            Per.MODEL,
            files={"weights": "results/weights/{model}.parquet"},
            params=("models",),
            needs=ASKED,
            mem_mb=2000,
        ),
    ),
)
