"""Rule layer_heatmap: layers -> one figure per prompt set, PNG and SVG."""

from internal_physics.figures.by_set import save_by_set
from internal_physics.figures.layer_heatmap import draw
from internal_physics.joblog import job
from internal_physics.table_parts import TableBySet

if __name__ == "__main__":
    with job(snakemake):
        save_by_set(draw, TableBySet(snakemake.input.table, "layers"), snakemake.output, **snakemake.params)
