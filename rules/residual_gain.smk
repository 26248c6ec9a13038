# INPUTS   results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet; kind, difficulty and text of the config's prompts
# OUTPUTS  results/metrics/residual_gain/{model}/{condition}.parquet, tidy rows
#          results/tables/gains.csv and .parquet, results/tables/hypotheses.csv and .parquet
#          results/residual_gain/{model}.json, shaped like the published result file
#          results/figures/gain_panels-{model}.png and .svg, results/figures/gain_heatmap.png and .svg
# Is the residual stream's gain driven by the input? From the records alone: no new pass through a model.
# Only for runs whose `metrics` name residual_gain.

RESIDUAL_GAIN_RESULTS = expand("results/residual_gain/{model}.json", model=MODELS if RESIDUAL_GAIN in METRICS else [])


rule residual_gain:
    input:
        tensors=tensors_of,
        code=library("residual_gain"),
    output:
        metric="results/metrics/residual_gain/{model}/{condition}.parquet",
    log:
        "results/logs/residual_gain/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/residual_gain/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "Residual gain of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/residual_gain.py"


rule gains:
    input:
        metrics=for_runs("results/metrics/residual_gain/{model}/{condition}.parquet"),
        code=library("gains"),
    output:
        **table_outputs("gains"),
    log:
        "results/logs/gains.log",
    benchmark:
        "results/benchmarks/gains.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        prompts=prompt_fields("kind", "difficulty"),
    message:
        "Collecting the gains of every prompt"
    script:
        "../scripts/gains.py"


rule hypotheses:
    input:
        gains="results/tables/gains.parquet",
        code=library("hypotheses"),
    output:
        **table_outputs("hypotheses"),
    log:
        "results/logs/hypotheses.log",
    benchmark:
        "results/benchmarks/hypotheses.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        prompts=prompt_fields("text"),
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
    message:
        "Testing the hypotheses about residual gain"
    script:
        "../scripts/hypotheses.py"


rule residual_gain_result:
    input:
        metric="results/metrics/residual_gain/{model}/baseline.parquet",
        hypotheses="results/tables/hypotheses.parquet",
        code=library("residual_gain_result"),
    output:
        result="results/residual_gain/{model}.json",
    log:
        "results/logs/residual_gain_result/{model}.log",
    benchmark:
        "results/benchmarks/residual_gain_result/{model}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
    params:
        prompts=prompt_fields("text", "difficulty"),
    message:
        "Writing the residual-gain result of {wildcards.model}"
    script:
        "../scripts/residual_gain_result.py"


rule gain_panels:
    input:
        gains="results/tables/gains.parquet",
        layers="results/tables/layers.parquet",
        hypotheses="results/tables/hypotheses.parquet",
        code=library("gain_panels"),
    output:
        by_model("gain_panels"),
    log:
        "results/logs/gain_panels.log",
    benchmark:
        "results/benchmarks/gain_panels.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
    message:
        "Drawing residual gain against uncertainty"
    script:
        "../scripts/gain_panels.py"


rule gain_heatmap:
    input:
        hypotheses="results/tables/hypotheses.parquet",
        code=library("gain_heatmap"),
    output:
        expand("results/figures/gain_heatmap.{format}", format=FIGURE_FORMATS),
    log:
        "results/logs/gain_heatmap.log",
    benchmark:
        "results/benchmarks/gain_heatmap.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
    message:
        "Drawing the mean last gain by model and kind"
    script:
        "../scripts/gain_heatmap.py"
