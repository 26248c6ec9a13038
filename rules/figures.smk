# INPUTS   results/tables/{table}.parquet
# OUTPUTS  results/figures/{figure}-{prompt_set}.png and .svg; correlation_matrix.png and .svg; singular_spectra-{model}


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


rule thermodynamics_profile:
    input:
        table="results/tables/thermodynamics.parquet",
        code=library("thermodynamics_profile"),
    output:
        figures("thermodynamics_profile"),
    log:
        "results/logs/thermodynamics_profile.log",
    benchmark:
        "results/benchmarks/thermodynamics_profile.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing thermodynamics_profile of each prompt set"
    script:
        "../scripts/thermodynamics_profile.py"


rule thermodynamics_heatmap:
    input:
        table="results/tables/thermodynamics.parquet",
        code=library("thermodynamics_heatmap"),
    output:
        figures("thermodynamics_heatmap"),
    log:
        "results/logs/thermodynamics_heatmap.log",
    benchmark:
        "results/benchmarks/thermodynamics_heatmap.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing thermodynamics_heatmap of each prompt set"
    script:
        "../scripts/thermodynamics_heatmap.py"


rule state_diagrams:
    input:
        table="results/tables/thermodynamics.parquet",
        code=library("state_diagrams"),
    output:
        figures("state_diagrams"),
    log:
        "results/logs/state_diagrams.log",
    benchmark:
        "results/benchmarks/state_diagrams.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing state_diagrams of each prompt set"
    script:
        "../scripts/state_diagrams.py"


rule phase_map:
    input:
        table="results/tables/phases.parquet",
        code=library("phase_map"),
    output:
        figures("phase_map"),
    log:
        "results/logs/phase_map.log",
    benchmark:
        "results/benchmarks/phase_map.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing phase_map of each prompt set"
    script:
        "../scripts/phase_map.py"


rule singular_spectra:
    input:
        weights=expand("results/weights/{model}.parquet", model=MODELS),
        code=library("singular_spectra"),
    output:
        by_model("singular_spectra"),
    log:
        "results/logs/singular_spectra.log",
    benchmark:
        "results/benchmarks/singular_spectra.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
    message:
        "Drawing singular_spectra of each model"
    script:
        "../scripts/singular_spectra.py"
