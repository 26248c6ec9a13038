# INPUTS   results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet of a model and of what it is compared with, as
#          results/records/{model}/{condition}/ lists them
# OUTPUTS  results/metrics/agreement/{model}/{condition}.parquet; results/tables/agreement.* and agreement_means.*
#          results/figures/agreement_profile-{prompt_set}.*, agreement_conditions-{prompt_set}.*, agreement_weights.*
# How far do a model and its reference agree inside, and a steered condition and the baseline? From the records alone.


rule agreement:
    input:
        records=records_of,
        references=references_of,
    output:
        metric="results/metrics/agreement/{model}/{condition}.parquet",
    log:
        "results/logs/agreement/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/agreement/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        named=CONFIG.reference is not None,
        code=code("agreement"),
    message:
        "Agreement of {wildcards.model}, {wildcards.condition}, with its reference"
    script:
        "../scripts/agreement.py"


rule collect_agreement:
    input:
        metrics=PLAN.metric_files("agreement"),
    output:
        **table_files("agreement", "agreement_means"),
    log:
        "results/logs/collect_agreement.log",
    benchmark:
        "results/benchmarks/collect_agreement.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("collect_agreement"),
    message:
        "Collecting the agreement of all models into tables"
    script:
        "../scripts/collect_agreement.py"
