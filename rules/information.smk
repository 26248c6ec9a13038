# INPUTS   results/snapshots/{snapshot}/ (final norm and head alone) and results/tensors/{model}/{condition}/…, all prompts
# OUTPUTS  results/metrics/information/{model}/{condition}.parquet  tidy rows, attention entropy by head too
#          results/lens/{model}/{condition}/positions.parquet, tokens.parquet, predictions.parquet  (metrics/information.py)
#          results/tables/information.*, predictions.*
#          results/figures/information_profiles-{prompt_set}.*, information_{quantity}.*, lens_heatmap-{model}.*, token_trajectories.*

INFORMATION_FIGURES = {
    "information_entropy": "entropy_nats",
    "information_perplexity": "perplexity",
    "information_margin": "margin",
    "information_kl_uniform": "kl_uniform_nats",
    "information_attention": "attention_entropy_nats",
    "information_surprisal": "surprisal_nats",
}
READING = ["temperature", "target", "final_norm", "top_k", "sampling", "watch"]


rule information:
    input:
        snapshot=snapshot_of,
        records=records_of,
        code=library("information"),
    output:
        metric="results/metrics/information/{model}/{condition}.parquet",
        positions="results/lens/{model}/{condition}/positions.parquet",
        tokens="results/lens/{model}/{condition}/tokens.parquet",
        predictions="results/lens/{model}/{condition}/predictions.parquet",
    log:
        "results/logs/information/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/information/{model}/{condition}.tsv"
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
    message:
        "Reading every layer of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/information.py"


rule collect_information:
    input:
        metrics=for_runs("results/metrics/information/{model}/{condition}.parquet"),
        predictions=for_runs("results/lens/{model}/{condition}/predictions.parquet"),
        code=library("collect_information"),
    output:
        **table_outputs("information", "predictions"),
    log:
        "results/logs/collect_information.log",
    benchmark:
        "results/benchmarks/collect_information.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    message:
        "Collecting information and predictions into tables"
    script:
        "../scripts/collect_information.py"


rule information_profiles:
    input:
        table="results/tables/information.parquet",
        code=library("information_profiles"),
    output:
        figures("information_profiles"),
    log:
        "results/logs/information_profiles.log",
    benchmark:
        "results/benchmarks/information_profiles.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing information_profiles of each prompt set"
    script:
        "../scripts/information_profiles.py"


rule information_metric:
    input:
        table="results/tables/information.parquet",
        code=library("information_metric"),
    output:
        expand("results/figures/{{figure}}.{format}", format=FIGURE_FORMATS),
    log:
        "results/logs/information_metric/{figure}.log",
    benchmark:
        "results/benchmarks/information_metric/{figure}.tsv"
    wildcard_constraints:
        figure="|".join(INFORMATION_FIGURES),
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        quantity=lambda wildcards: INFORMATION_FIGURES[wildcards.figure],
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Drawing {wildcards.figure} of all prompt sets"
    script:
        "../scripts/information_metric.py"


rule lens_heatmap:
    input:
        positions="results/lens/{model}/baseline/positions.parquet",
        code=library("lens_heatmap"),
    output:
        expand("results/figures/lens_heatmap-{{model}}.{format}", format=FIGURE_FORMATS),
    log:
        "results/logs/lens_heatmap/{model}.log",
    benchmark:
        "results/benchmarks/lens_heatmap/{model}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        prompt=lens_prompt,
    message:
        "Drawing the lens of {wildcards.model}"
    script:
        "../scripts/lens_heatmap.py"


rule token_trajectories:
    input:
        tokens=expand("results/lens/{model}/baseline/tokens.parquet", model=MODELS),
        code=library("token_trajectories"),
    output:
        expand("results/figures/token_trajectories.{format}", format=FIGURE_FORMATS),
    log:
        "results/logs/token_trajectories.log",
    benchmark:
        "results/benchmarks/token_trajectories.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        prompts={model: CONFIG.lens_prompt(model) for model in MODELS},
    message:
        "Drawing token_trajectories of every model"
    script:
        "../scripts/token_trajectories.py"


if INFORMATION:
    ALL_FIGURES += expand("results/figures/{name}.{format}", name=INFORMATION_FIGURES, format=FIGURE_FORMATS)
    ALL_FIGURES += expand("results/figures/lens_heatmap-{model}.{format}", model=MODELS, format=FIGURE_FORMATS)
    ALL_FIGURES += expand("results/figures/token_trajectories.{format}", format=FIGURE_FORMATS)
