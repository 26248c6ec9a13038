"""Rule figures: tables -> all figures of one family, as PNG and in the formats of the config."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.figures.draw import draw_figures
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        inputs = dict(snakemake.input.items())
        for drawing in snakemake.params.drawings:
            draw_figures(inputs=inputs, **drawing)
