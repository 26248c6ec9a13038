# INPUTS   results/metrics/residual_gain/{model}/{condition}.parquet, results/tables/prompts_read.parquet
# OUTPUTS  results/tables/gains.csv and .parquet, results/tables/hypotheses.csv and .parquet
#          results/residual_gain/{model}.json, in the format of the published result file
#          results/figures/gain_panels-{model}.png and .svg, results/figures/gain_heatmap.png and .svg
# Is the residual stream's gain driven by the input? From the records alone: no new pass through a model.
# Only for runs whose `metrics` name residual_gain.


rule gains:
    input:
        metrics=PLAN.metric_files("residual_gain"),
        prompts="results/tables/prompts_read.parquet",
    output:
        **table_files("gains"),
    log:
        "results/logs/gains.log",
    benchmark:
        "results/benchmarks/gains.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        code=code("gains"),
    message:
        "Collecting the gains of every prompt"
    script:
        "../scripts/gains.py"


rule hypotheses:
    input:
        gains="results/tables/gains.parquet",
        prompts="results/tables/prompts_read.parquet",
    output:
        **table_files("hypotheses"),
    log:
        "results/logs/hypotheses.log",
    benchmark:
        "results/benchmarks/hypotheses.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("hypotheses"),
    message:
        "Testing the hypotheses about residual gain"
    script:
        "../scripts/hypotheses.py"


rule residual_gain_result:
    input:
        metric="results/metrics/residual_gain/{model}/baseline.parquet",
        hypotheses="results/tables/hypotheses.parquet",
        prompts="results/tables/prompts_read.parquet",
    output:
        result="results/residual_gain/{model}.json",
    log:
        "results/logs/residual_gain_result/{model}.log",
    benchmark:
        "results/benchmarks/residual_gain_result/{model}.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
    params:
        code=code("residual_gain_result"),
    message:
        "Writing the residual-gain result of {wildcards.model}"
    script:
        "../scripts/residual_gain_result.py"
