# INPUTS   results/snapshots/{snapshot}/ and the contrasting texts of the config
# OUTPUTS  results/steering/{model}/{contrast}.safetensors, one vector per layer


rule contrast:
    input:
        snapshot=snapshot_of,
        code=library("contrast"),
    output:
        vectors="results/steering/{model}/{contrast}.safetensors",
    log:
        "results/logs/contrast/{model}/{contrast}.log",
    benchmark:
        "results/benchmarks/contrast/{model}/{contrast}.tsv"
    conda:
        "../envs/extract.yaml"
    threads: 8
    resources:
        mem_mb=record_mem_mb,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        contrast=lambda wildcards: CONFIG.conditions[wildcards.contrast].steering["contrast"],
        batch_size=CONFIG.raw["record"]["batch_size"],
        load=load_options,
    message:
        "Deriving the direction {wildcards.contrast} of {wildcards.model}"
    script:
        "../scripts/contrast.py"
