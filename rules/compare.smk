# INPUTS   results/metrics/{metric}/{model}/{condition}.parquet of all conditions; results/tables/{table}.parquet
# OUTPUTS  results/tables/comparisons.csv and .parquet; results/figures/{figure}-{prompt_set}.png and .svg, of steered prompt sets
#          results/information/{standard,control,comparative}/{data,plots,predictions}/, as the published package writes them

PUBLISHED_FIGURES = [name for name in PLAN.figures(Per.RUN) if name.startswith("information_")]
COMPARATIVE_FIGURES = [name for name in PLAN.figures(Per.STEERED_SET) if name.endswith("_information")]


rule compare:
    input:
        metrics=PLAN.metric_files(*PLAN.metrics_between_conditions),
    output:
        **table_files("comparisons"),
    log:
        "results/logs/compare.log",
    benchmark:
        "results/benchmarks/compare.tsv"
    priority: 25  # the longest way to the end begins here: figures of conditions, then the published folder
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("compare"),
    message:
        "Comparing every condition with the baseline"
    script:
        "../scripts/compare.py"


rule information_package:
    input:
        information="results/tables/information.parquet",
        predictions="results/tables/predictions.parquet",
        prompts="results/tables/prompts_read.parquet",
        standard=PLAN.figure_files(*PUBLISHED_FIGURES, formats=("png",)),
        comparative=PLAN.figure_files(*COMPARATIVE_FIGURES, formats=("png",)),
    output:
        standard=directory("results/information/standard"),
        control=directory("results/information/control"),
        comparative=directory("results/information/comparative"),
    log:
        "results/logs/information_package.log",
    benchmark:
        "results/benchmarks/information_package.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        models=PLAN.models,
        prompt_sets=PLAN.prompt_sets,
        code=code("information_package"),
    message:
        "Writing the published run folder of information"
    script:
        "../scripts/information_package.py"
