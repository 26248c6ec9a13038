# INPUTS   results/metrics/{metric}/{model}/{condition}.parquet of all conditions; results/tables/{table}.parquet
# OUTPUTS  results/tables/comparisons.csv and .parquet; results/figures/{figure}-{prompt_set}.png and .svg, of steered prompt sets
#          results/information/{standard,control,comparative}/{data,plots,predictions}/, as the published package writes them


rule compare:
    input:
        metrics=for_runs("results/metrics/{metric}/{model}/{condition}.parquet", metric=COMPARED),
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
        **{name: f"results/tables/{name}.parquet" for name in ALONG_DEPTH},
        code=library("standard_control"),
    output:
        **{name: figures(f"standard_control{suffix}", STEERED_SETS) for name, suffix in ALONG_DEPTH.items()},
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
        **{name: figures(f"layer_impact{suffix}", STEERED_SETS) for name, suffix in ALONG_DEPTH.items()},
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


rule watched_tokens:
    input:
        table="results/tables/comparisons.parquet",
        code=library("watched_tokens"),
    output:
        figures("watched_tokens", STEERED_SETS),
    log:
        "results/logs/watched_tokens.log",
    benchmark:
        "results/benchmarks/watched_tokens.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=MODELS,
        prompt_sets=STEERED_SETS,
    message:
        "Drawing the watched tokens in every condition"
    script:
        "../scripts/watched_tokens.py"


rule publish:
    input:
        information="results/tables/information.parquet",
        predictions="results/tables/predictions.parquet",
        standard=expand("results/figures/{figure}.png", figure=INFORMATION_FIGURES),
        comparative=[
            path
            for kind in ["standard_control_information", "layer_impact_information"]
            for path in figures(kind, STEERED_SETS)
            if path.endswith(".png")
        ],
        code=library("publish"),
    output:
        standard=directory("results/information/standard"),
        control=directory("results/information/control"),
        comparative=directory("results/information/comparative"),
    log:
        "results/logs/publish.log",
    benchmark:
        "results/benchmarks/publish.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=MODELS,
        prompt_sets=PROMPT_SETS,
    message:
        "Writing the published run folder of information"
    script:
        "../scripts/publish.py"
