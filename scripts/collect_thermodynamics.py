"""Rule collect_thermodynamics: spectra, states, means and phases of all models -> tables, and a CSV per model."""

from internal_physics.families.thermodynamics.collect import collect_thermodynamics_files, with_published
from internal_physics.ground.joblog import job
from internal_physics.tables.stream import write_tables

if __name__ == "__main__":
    with job(snakemake):
        files = {name: snakemake.input[name] for name in ["weights", "states", "flags", "means", "layers", "counts"]}
        published = dict(zip(snakemake.params.models, snakemake.output.published, strict=True))
        write_tables(with_published(collect_thermodynamics_files(**files), published), snakemake.output)
