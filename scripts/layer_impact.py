"""Rule layer_impact: comparisons -> figures of layers and of information per steered prompt set, PNG and SVG."""

from functools import partial

from internal_physics.figures.beside import ALONG_DEPTH
from internal_physics.figures.by_set import save_by_set
from internal_physics.figures.layer_impact import draw
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        table = read_table(snakemake.input.table, "comparisons")
        for name, figures in snakemake.output.items():
            save_by_set(partial(draw, quantities=ALONG_DEPTH[name]), table, figures, **snakemake.params)
