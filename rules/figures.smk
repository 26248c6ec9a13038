# INPUTS   results/tables/{table}.parquet
# OUTPUTS  results/figures/{figure}-{prompt_set}.png and .svg; correlation_matrix.png and .svg


rule radar:
    input:
        table="results/tables/scores_normalized.parquet",
        scores="results/tables/scores.parquet",
        code=library("radar"),
    output:
        figures("radar"),
    log:
        "results/logs/radar.log",
    benchmark:
        "results/benchmarks/radar.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing radar of each prompt set"
    script:
        "../scripts/radar.py"


rule layer_profiles:
    input:
        table="results/tables/layers.parquet",
        code=library("layer_profiles"),
    output:
        figures("layer_profiles"),
    log:
        "results/logs/layer_profiles.log",
    benchmark:
        "results/benchmarks/layer_profiles.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing layer_profiles of each prompt set"
    script:
        "../scripts/layer_profiles.py"


rule layer_heatmap:
    input:
        table="results/tables/layers.parquet",
        code=library("layer_heatmap"),
    output:
        figures("layer_heatmap"),
    log:
        "results/logs/layer_heatmap.log",
    benchmark:
        "results/benchmarks/layer_heatmap.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing layer_heatmap of each prompt set"
    script:
        "../scripts/layer_heatmap.py"


rule isf_spectrum:
    input:
        table="results/tables/isf_spectra.parquet",
        code=library("isf_spectrum"),
    output:
        figures("isf_spectrum"),
    log:
        "results/logs/isf_spectrum.log",
    benchmark:
        "results/benchmarks/isf_spectrum.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing isf_spectrum of each prompt set"
    script:
        "../scripts/isf_spectrum.py"


rule correlation_matrix:
    input:
        table="results/tables/correlations.parquet",
        code=library("correlation_matrix"),
    output:
        expand("results/figures/correlation_matrix.{format}", format=FIGURE_FORMATS),
    log:
        "results/logs/correlation_matrix.log",
    benchmark:
        "results/benchmarks/correlation_matrix.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "Drawing the metric correlation matrix"
    script:
        "../scripts/correlation_matrix.py"
