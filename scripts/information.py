"""Rule information: tensors of one model and condition, and its readout -> information per layer, lens, predictions."""

from internal_physics.information import information
from internal_physics.joblog import job
from internal_physics.tables import write_metric

if __name__ == "__main__":
    with job(snakemake):
        found = information(
            snakemake.input.tensors,
            snapshot=snakemake.input.snapshot,
            load=snakemake.params.load,
            settings=snakemake.params.settings,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
        )
        for name, rows in found.items():
            write_metric(rows, snakemake.output[name])
