# INPUTS   results/metrics/{metric}/{model}/{condition}.parquet, all of them
# OUTPUTS  results/tables/{table}.csv and .parquet (columns: tables.py of each family), and results/tables/checked.txt,
#          which exists only if every table matches its description


rule collect:
    input:
        metrics=PLAN.metric_files(*PLAN.collected_metrics),
        prompts="results/tables/prompts_read.parquet",
    output:
        **table_files("prompts", "layers", "scores"),
    log:
        "results/logs/collect.log",
    benchmark:
        "results/benchmarks/collect.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        scored=registry.scored(PLAN.collected_metrics),
        units=registry.score_units(PLAN.collected_metrics),
        code=code("collect"),
    message:
        "Collecting {input.metrics} into tables"
    script:
        "../scripts/collect.py"


rule table:
    input:
        metrics=lambda wildcards: PLAN.metric_files(registry.FROM_METRIC[wildcards.table]),
    output:
        csv="results/tables/{table}.csv",
        parquet="results/tables/{table}.parquet",
    log:
        "results/logs/table/{table}.log",
    benchmark:
        "results/benchmarks/table/{table}.tsv"
    wildcard_constraints:
        table=any_of(registry.FROM_METRIC),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        module=lambda wildcards: registry.table_module(wildcards.table),
        code=lambda wildcards: code("table", registry.table_module(wildcards.table)),
    message:
        "Making the table {wildcards.table}"
    script:
        "../scripts/table.py"


rule normalize:
    input:
        scores="results/tables/scores.parquet",
        scale=PLAN.score_scale,
    output:
        **table_files("scores_normalized"),
    log:
        "results/logs/normalize.log",
    benchmark:
        "results/benchmarks/normalize.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        metrics=PLAN.ranked_metrics,
        units=registry.score_units(PLAN.ranked_metrics),
        code=code("normalize"),
    message:
        "Normalizing scores over models"
    script:
        "../scripts/normalize.py"


rule correlate:
    input:
        prompts="results/tables/prompts.parquet",
        scores="results/tables/scores.parquet",
    output:
        **table_files("correlations"),
    log:
        "results/logs/correlate.log",
    benchmark:
        "results/benchmarks/correlate.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        metrics=registry.score_names(PLAN.metrics),
        seed=CONFIG.raw["seed"],
        n_resamples=CONFIG.raw["statistics"]["n_resamples"],
        code=code("correlate"),
    message:
        "Correlating metrics over prompts and over models"
    script:
        "../scripts/correlate.py"


rule model_pairs:
    input:
        metrics=PLAN.metric_files(*PLAN.paired_metrics),
        prompts="results/tables/prompts_read.parquet",
    output:
        **table_files("model_pairs"),
    log:
        "results/logs/model_pairs.log",
    benchmark:
        "results/benchmarks/model_pairs.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=PLAN.reference_first,
        units=registry.score_units(PLAN.paired_metrics),
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("model_pairs"),
    message:
        "Comparing every two models on the same prompts"
    script:
        "../scripts/model_pairs.py"


rule check_tables:
    input:
        **{name: f"results/tables/{name}.parquet" for name in PLAN.tables},
    output:
        checked="results/tables/checked.txt",
    log:
        "results/logs/check_tables.log",
    benchmark:
        "results/benchmarks/check_tables.tsv"
    priority: 25  # before the figures: the explorer waits for it, and is drawn beside them instead of after the report
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        runs=[(run.model, run.condition, run.prompt_sets) for run in PLAN.runs.values()],
        metrics=PLAN.collected_metrics,
        prompts={
            name: [prompt.name for prompt in prompt_set.prompts] for name, prompt_set in CONFIG.prompt_sets.items()
        },
        code=code("check_tables"),
    message:
        "Checking that every table holds what it promises"
    script:
        "../scripts/check_tables.py"
