"""The description of the family kernel: the tangent kernel between prompts."""

from internal_physics.families.family import FACTORS, SEVERAL, SKETCHES, Family, Figure, Metric, Needs, Per
from internal_physics.families.kernel.tables import TABLES

ASKED: Needs = (("kernel",), (FACTORS, SKETCHES))
BY_MODEL = ("models",)

FAMILY = Family(
    name="kernel",
    title="Kernel between prompts",
    findings_tables=("kernel_kinds", "kernel_summary", "models"),
    metrics=(Metric("kernel", "Tangent kernel", rule="kernel", in_layers=False, between_conditions=False),),
    tables=dict.fromkeys(TABLES, ASKED),
    figures=(
        Figure(
            "kernel_heatmap",
            Per.MODEL,
            tables=("kernel", "kernel_map"),
            params=BY_MODEL,
            needs=ASKED,
            only_with="kernel_summary",
        ),
        Figure(
            "kernel_map",
            Per.MODEL,
            tables=("kernel_map", "kernel_summary"),
            params=BY_MODEL,
            needs=ASKED,
            only_with="kernel_summary",
        ),
        Figure("kernel_spectrum", Per.RUN, tables=("kernel_spectra", "kernel_summary"), params=BY_MODEL, needs=ASKED),
        Figure("kernel_shares", Per.RUN, tables=("kernel_shares",), params=BY_MODEL, needs=ASKED),
        Figure(
            "kernel_layers",
            Per.MODEL,
            tables=("kernel_cka", "kernel_kinds", "kernel_shares"),
            params=BY_MODEL,
            needs=ASKED,
            only_with="kernel_summary",
        ),
        Figure("kernel_cka", Per.RUN, tables=("kernel_cka",), params=BY_MODEL, needs=(*ASKED, (SEVERAL,))),
    ),
)
