# INPUTS   results/snapshots/{snapshot}/ and the contrasting texts of the config
# OUTPUTS  results/steering/{model}/{contrast}.safetensors, one vector per layer


rule derive_direction:
    input:
        snapshot=snapshot_of,
    output:
        vectors="results/steering/{model}/{contrast}.safetensors",
    log:
        "results/logs/derive_direction/{model}/{contrast}.log",
    benchmark:
        "results/benchmarks/derive_direction/{model}/{contrast}.tsv"
    conda:
        "../envs/extract.yaml"
    threads: 8
    resources:
        mem_mb=model_mem_mb,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        contrast=lambda wildcards: CONFIG.conditions[wildcards.contrast].steering["contrast"],
        batch_size=CONFIG.raw["record"]["batch_size"],
        load=load_options,
        text=lambda wildcards: PLAN.text_options(wildcards.model),
        code=code("derive_direction"),
    message:
        "Deriving the direction {wildcards.contrast} of {wildcards.model}"
    script:
        "../scripts/derive_direction.py"
