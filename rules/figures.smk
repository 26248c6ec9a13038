# INPUTS   results/tables/{table}.parquet, and for some kinds results/weights/ or results/lens/
# OUTPUTS  results/figures/{figure}-{prompt_set}, {figure}-{model} or {figure}, as .png and in the formats of the config
# The kinds, what each reads and when it is drawn are declared in family.py of each family.
# `use rule` copies everything except `localrule`, which is repeated.


rule figure_by_set:
    input:
        unpack(lambda wildcards: PLAN.figure_inputs(wildcards.figure)),
    output:
        PLAN.figure_outputs(Per.PROMPT_SET),
    log:
        "results/logs/figures/{figure}.log",
    benchmark:
        "results/benchmarks/figures/{figure}.tsv"
    wildcard_constraints:
        figure=any_of(PLAN.figures(Per.PROMPT_SET)),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=lambda wildcards: registry.FIGURES[wildcards.figure].mem_mb,
    params:
        module=lambda wildcards: registry.figure_module(wildcards.figure),
        options=lambda wildcards: PLAN.figure_options(wildcards.figure),
        code=lambda wildcards: code("figure", registry.figure_module(wildcards.figure)),
    message:
        "Drawing {wildcards.figure}"
    script:
        "../scripts/figure.py"


use rule figure_by_set as figure_by_steered_set with:
    output:
        PLAN.figure_outputs(Per.STEERED_SET),
    wildcard_constraints:
        figure=any_of(PLAN.figures(Per.STEERED_SET)),
    localrule: True


use rule figure_by_set as figure_by_compared_set with:
    output:
        PLAN.figure_outputs(Per.COMPARED_SET),
    wildcard_constraints:
        figure=any_of(PLAN.figures(Per.COMPARED_SET)),
    localrule: True


use rule figure_by_set as figure_by_model with:
    output:
        PLAN.figure_outputs(Per.MODEL),
    wildcard_constraints:
        figure=any_of(PLAN.figures(Per.MODEL)),
    localrule: True


use rule figure_by_set as figure_of_run with:
    output:
        PLAN.figure_outputs(Per.RUN),
    wildcard_constraints:
        figure=any_of(PLAN.figures(Per.RUN)),
    localrule: True
