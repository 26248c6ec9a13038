"""Rule information: records of one model and condition, and its readout -> information per layer, lens, predictions."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.information.information import information_chunks
from internal_physics.ground.allocator import keep_freed_memory
from internal_physics.ground.joblog import job
from internal_physics.records.listing import listed
from internal_physics.tables.chunks import coalesce, write_row_files

if __name__ == "__main__":
    with job(snakemake):
        keep_freed_memory()  # logits of one size, again and again
        chunks = information_chunks(
            listed(*snakemake.input.records),
            snapshot=snakemake.input.snapshot,
            load=snakemake.params.load,
            settings=snakemake.params.settings,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
        )
        write_row_files(coalesce(chunks), snakemake.output)
