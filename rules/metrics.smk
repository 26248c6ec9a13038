# INPUTS   results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet, all prompts of a model and condition, as
#          results/records/{model}/{condition}/ lists them
# OUTPUTS  results/metrics/{metric}/{model}/{condition}.parquet, tidy rows (see tables/measure.py of the library)
# Metrics that need only the records. EC, ISC, ISG and ISA use the same quantities, so that one reading serves all.


rule gradient_flow:
    input:
        records=records_of,
    output:
        ec="results/metrics/ec/{model}/{condition}.parquet",
        isc="results/metrics/isc/{model}/{condition}.parquet",
        isg="results/metrics/isg/{model}/{condition}.parquet",
        isa="results/metrics/isa/{model}/{condition}.parquet",
    log:
        "results/logs/gradient_flow/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/gradient_flow/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        module="internal_physics.families.gradient_flow.scores",
        options={},
        code=code("metric", "internal_physics.families.gradient_flow.scores"),
    message:
        "EC, ISC, ISG and ISA of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/metric.py"


rule metric:
    input:
        records=records_of,
    output:
        "results/metrics/{metric}/{model}/{condition}.parquet",
    log:
        "results/logs/metric/{metric}/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/metric/{metric}/{model}/{condition}.tsv"
    wildcard_constraints:
        metric=any_of([name for name, metric in registry.METRICS.items() if metric.rule == "metric"]),
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        module=lambda wildcards: registry.METRICS[wildcards.metric].module,
        options=lambda wildcards: PLAN.metric_options(wildcards.metric),
        code=lambda wildcards: code("metric", registry.METRICS[wildcards.metric].module),
    message:
        "{wildcards.metric} of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/metric.py"
