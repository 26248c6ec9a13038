# INPUTS   results/metrics/{metric}/{model}/{condition}.parquet of all conditions; results/tables/{table}.parquet
# OUTPUTS  results/tables/comparisons.csv and .parquet; results/figures/{figure}-{prompt_set}.png and .svg, of steered prompt sets


rule compare:
    input:
        metrics=for_runs("results/metrics/{metric}/{model}/{condition}.parquet", metric=METRICS),
        code=library("compare"),
    output:
        **table_outputs("comparisons"),
    log:
        "results/logs/compare.log",
    benchmark:
        "results/benchmarks/compare.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
    message:
        "Comparing every condition with the baseline"
    script:
        "../scripts/compare.py"


rule standard_control:
    input:
        table="results/tables/layers.parquet",
        code=library("standard_control"),
    output:
        figures("standard_control", STEERED_SETS),
    log:
        "results/logs/standard_control.log",
    benchmark:
        "results/benchmarks/standard_control.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=STEERED_SETS,
    message:
        "Drawing standard beside control"
    script:
        "../scripts/standard_control.py"


rule difference_distributions:
    input:
        table="results/tables/prompts.parquet",
        code=library("difference_distributions"),
    output:
        figures("difference_distributions", STEERED_SETS),
    log:
        "results/logs/difference_distributions.log",
    benchmark:
        "results/benchmarks/difference_distributions.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=STEERED_SETS,
    message:
        "Drawing the distributions of differences"
    script:
        "../scripts/difference_distributions.py"


rule layer_impact:
    input:
        table="results/tables/comparisons.parquet",
        code=library("layer_impact"),
    output:
        figures("layer_impact", STEERED_SETS),
    log:
        "results/logs/layer_impact.log",
    benchmark:
        "results/benchmarks/layer_impact.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=STEERED_SETS,
    message:
        "Drawing the impact of steering along depth"
    script:
        "../scripts/layer_impact.py"
