"""Rule gain_heatmap: hypotheses -> mean last gain by model and kind, PNG and SVG."""

from internal_physics.figures.gain_heatmap import draw
from internal_physics.figures.style import save
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        hypotheses = read_table(snakemake.input.hypotheses, "hypotheses")
        save(draw(hypotheses, models=snakemake.params.models), snakemake.output)
