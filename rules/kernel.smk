# INPUTS   results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet, as results/records/{model}/{condition}/ lists
#          them, of the prompt sets that keep factors; results/tables/prompts_read.parquet
# OUTPUTS  results/metrics/kernel/{model}/{condition}.parquet (kernels by layer and kind of map, see kernel_files.py);
#          results/tables/kernel.* and kernel_*.*; results/figures/kernel_*.*
# Which prompts pull the weights of a model in the same direction? From the records alone.


rule kernel:
    input:
        records=records_of,
    output:
        metric="results/metrics/kernel/{model}/{condition}.parquet",
    log:
        "results/logs/kernel/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/kernel/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=kernel_mem_mb,
    params:
        code=code("kernel"),
    message:
        "Tangent kernel of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/kernel.py"


rule collect_kernel:
    input:
        metrics=PLAN.metric_files("kernel"),
        prompts="results/tables/prompts_read.parquet",
    output:
        **table_files(
            "kernel",
            "kernel_summary",
            "kernel_spectra",
            "kernel_map",
            "kernel_shares",
            "kernel_kinds",
            "kernel_cka",
            "kernel_neighbours",
        ),
    log:
        "results/logs/collect_kernel.log",
    benchmark:
        "results/benchmarks/collect_kernel.tsv"
    localrule: has_local_tables(PLAN.kept_prompts(*run) for run in PLAN.runs)
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=kernel_tables_mem_mb,
    params:
        seed=CONFIG.raw["seed"],
        n_resamples=CONFIG.raw["statistics"]["n_resamples"],
        code=code("collect_kernel"),
    message:
        "Collecting the kernels of all models into tables"
    script:
        "../scripts/collect_kernel.py"
