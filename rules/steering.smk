# INPUTS   results/snapshots/{snapshot}/ and the contrasting texts of the config
# OUTPUTS  results/steering/{model}/{contrast}.safetensors, one vector per layer
# Conditions with an equal contrast share the file of the first of them.


rule derive_direction:
    input:
        snapshot=snapshot_of,
    output:
        vectors="results/steering/{model}/{contrast}.safetensors",
    log:
        "results/logs/derive_direction/{model}/{contrast}.log",
    benchmark:
        "results/benchmarks/derive_direction/{model}/{contrast}.tsv"
    priority: 60  # what a steered run waits for is begun first
    conda:
        "../envs/extract.yaml"
    threads: recording_threads()
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
