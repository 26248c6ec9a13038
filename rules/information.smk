# INPUTS   results/snapshots/{snapshot}/ (final norm and head alone) and results/tensors/{model}/{condition}/…, all prompts
# OUTPUTS  results/metrics/information/{model}/{condition}.parquet  tidy rows, attention entropy by head too
#          results/lens/{model}/{condition}/positions, tokens, followed and predictions, all .parquet
#          results/tables/information.*, predictions.*, decided.*, decided_means.*
#          results/figures/information_profiles-{prompt_set}.*, information_{quantity}.*, lens_heatmap-{model}.*,
#          token_trajectories.*, decided-{prompt_set}.*

READING = [name for name in CONFIG.raw["information"] if name != "lens_prompt"]  # which lens is drawn changes none


rule information:
    input:
        snapshot=snapshot_of,
        records=records_of,
    output:
        metric="results/metrics/information/{model}/{condition}.parquet",
        positions="results/lens/{model}/{condition}/positions.parquet",
        tokens="results/lens/{model}/{condition}/tokens.parquet",
        followed="results/lens/{model}/{condition}/followed.parquet",
        predictions="results/lens/{model}/{condition}/predictions.parquet",
    log:
        "results/logs/information/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/information/{model}/{condition}.tsv"
    priority: 40
    conda:
        "../envs/extract.yaml"
    threads: 1
    resources:
        mem_mb=readout_mem_mb,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        load=load_options,
        settings={key: CONFIG.raw["information"][key] for key in READING},
        seed=CONFIG.raw["seed"] if CONFIG.raw["information"]["sampling"] else 0,
        code=code("information"),
    message:
        "Reading every layer of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/information.py"


rule collect_information:
    input:
        metrics=PLAN.metric_files("information"),
        predictions=PLAN.for_runs("results/lens/{model}/{condition}/predictions.parquet"),
    output:
        **table_files("information", "predictions"),
    log:
        "results/logs/collect_information.log",
    benchmark:
        "results/benchmarks/collect_information.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        code=code("collect_information"),
    message:
        "Collecting information and predictions into tables"
    script:
        "../scripts/collect_information.py"


rule decided:
    input:
        followed=PLAN.for_runs("results/lens/{model}/{condition}/followed.parquet"),
        prompts="results/tables/prompts_read.parquet",
    output:
        **table_files("decided", "decided_means"),
    log:
        "results/logs/decided.log",
    benchmark:
        "results/benchmarks/decided.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("decided"),
    message:
        "Finding the layer at which answers are decided"
    script:
        "../scripts/decided.py"
