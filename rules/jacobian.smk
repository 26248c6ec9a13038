# INPUTS   results/snapshots/{snapshot}/, the prompts that `jacobian.prompts` names, and a condition's steering file
# OUTPUTS  results/jacobians/{model}/{condition}.parquet, results/tables/jacobians.csv and .parquet, results/figures/jacobians.*
# Only for prompts that the config names: each runs its models again, and d products are taken through every block.


rule jacobian:
    input:
        snapshot=snapshot_of,
        steering=lambda wildcards: PLAN.steering_files(wildcards.model, wildcards.condition),
    output:
        maps="results/jacobians/{model}/{condition}.parquet",
    log:
        "results/logs/jacobian/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/jacobian/{model}/{condition}.tsv"
    conda:
        "../envs/extract.yaml"
    threads: recording_threads()
    resources:
        mem_mb=model_mem_mb,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        prompts=lambda wildcards: PLAN.jacobian_prompts(wildcards.model, wildcards.condition),
        options={key: CONFIG.raw["jacobian"][key] for key in ("exact_width", "probes")},
        load=load_options,
        text=lambda wildcards: PLAN.jacobian_texts(wildcards.model, wildcards.condition),
        steering=lambda wildcards: PLAN.steering(wildcards.condition),
        seed=CONFIG.raw["seed"],
        code=code("jacobian"),
    message:
        "Linearising the blocks of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/jacobian.py"


rule collect_jacobians:
    input:
        maps=[f"results/jacobians/{model}/{condition}.parquet" for model, condition in PLAN.jacobian_runs],
    output:
        **table_files("jacobians"),
    log:
        "results/logs/collect_jacobians.log",
    benchmark:
        "results/benchmarks/collect_jacobians.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        code=code("collect_jacobians"),
    message:
        "Collecting the local linear maps of all models"
    script:
        "../scripts/collect_jacobians.py"
