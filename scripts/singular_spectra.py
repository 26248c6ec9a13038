"""Rule singular_spectra: spectra of all models -> one figure per model, PNG and SVG."""

from internal_physics.figures.singular_spectra import draw
from internal_physics.figures.style import save
from internal_physics.joblog import job
from internal_physics.tables import read_rows

if __name__ == "__main__":
    with job(snakemake):
        for model, path in zip(snakemake.params.models, snakemake.input.weights, strict=True):
            paths = [out for out in snakemake.output if f"/singular_spectra-{model}." in out]
            save(draw(read_rows(path), model), paths)
