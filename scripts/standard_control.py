"""Rule standard_control: layers and information -> figures of each per steered prompt set, PNG and SVG."""

from internal_physics.figures.by_set import save_by_set
from internal_physics.figures.standard_control import draw
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        for name, figures in snakemake.output.items():
            save_by_set(draw, read_table(snakemake.input[name], name), figures, **snakemake.params)
