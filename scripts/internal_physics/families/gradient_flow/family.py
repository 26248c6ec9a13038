"""The description of the family gradient_flow: the Internal Physics Benchmark."""

from internal_physics.families.family import SEVERAL, Family, Figure, Metric, Per, Score
from internal_physics.families.gradient_flow.limits import MIN_PROMPTS_ISF
from internal_physics.families.gradient_flow.quantities import GRADIENT_COSINE, GRADIENT_NORM, RELATIVE_CHANGE
from internal_physics.families.gradient_flow.tables import ISF_SPECTRA

SCORES = "internal_physics.families.gradient_flow.scores"
BY_SET = ("models", "prompt_sets")
QUANTITIES = {"ec": (RELATIVE_CHANGE,), "isc": (GRADIENT_NORM,), "isg": (), "isa": (GRADIENT_COSINE,)}
UNITS = {"isc": "1 / residual unit"}
ALONG_DEPTH = (("ec",), ("isc",), ("isa",))

FAMILY = Family(
    name="gradient_flow",
    title="Gradient flow",
    metrics=(
        *(
            Metric(
                name,
                name.upper(),
                SCORES,
                rule="gradient_flow",  # one reading of the records gives all four
                score=Score.PROMPT,
                scores=(name,),
                units=UNITS,
                smaller_is_better=True,
                layer_quantities=quantities,
            )
            for name, quantities in QUANTITIES.items()
        ),
        Metric(
            "isf",
            "ISF",
            "internal_physics.families.gradient_flow.isf",
            options=("confidence_level",),
            min_prompts=MIN_PROMPTS_ISF,
            score=Score.SET,
            scores=("isf",),
            smaller_is_better=True,
        ),
    ),
    tables={ISF_SPECTRA: (("isf",),)},
    from_metric={"isf_spectra": "isf"},
    figures=(
        Figure(
            "radar",
            Per.COMPARED_SET,
            tables=("scores_normalized", "scores", "model_pairs"),
            params=(*BY_SET, "statistics"),
            needs=(("ec", "isc", "isg", "isa", "isf"), (SEVERAL,)),
        ),
        Figure("layer_profiles", Per.PROMPT_SET, tables=("layers",), params=BY_SET, needs=ALONG_DEPTH),
        Figure("layer_heatmap", Per.PROMPT_SET, tables=("layers",), params=BY_SET, needs=ALONG_DEPTH),
        Figure("isf_spectrum", Per.PROMPT_SET, tables=("isf_spectra",), params=BY_SET, needs=(("isf",),)),
    ),
)
