"""Rule collect_thermodynamics: spectra, states, means and phases of all models -> tables, and a CSV per model."""

from internal_physics.collect_thermodynamics import flagged_states, spectra_table
from internal_physics.joblog import job
from internal_physics.tables import read_rows, write_published, write_table

if __name__ == "__main__":
    with job(snakemake):
        given = {name: read_rows(*snakemake.input[name]) for name in ["means", "states", "flags", "layers", "counts"]}
        tables = {
            "spectra": spectra_table(read_rows(*snakemake.input.weights)),
            "thermodynamics": flagged_states(given["states"], given["flags"]),
            "thermodynamics_means": given["means"],
            "phases": given["layers"],
            "phase_counts": given["counts"],
        }
        for name, table in tables.items():
            write_table(table, name, csv=snakemake.output[f"{name}_csv"], parquet=snakemake.output[f"{name}_parquet"])
        for model, path in zip(snakemake.params.models, snakemake.output.published, strict=True):
            write_published(tables["thermodynamics"].groupby("model").get_group(model), path)
