# INPUTS   results/tables/{table}.parquet, and for some kinds results/weights/ or results/lens/
# OUTPUTS  results/figures/{figure}-{prompt_set}, {figure}-{model} or {figure}, as .png and in the formats of the config
# The kinds, what each reads and when it is drawn are declared in family.py of each family.
# One job draws all figures of a family, in a rule of its own: figures_{family}. To start a job, with matplotlib and pandas,
# takes longer than to draw a figure. Jobs of many figures begin first, so that none is left alone at the end.

for figure_job in figure_jobs(PLAN):

    rule:
        name:
            figure_job.name
        input:
            **figure_job.inputs,
        output:
            figure_job.outputs,
        log:
            f"results/logs/figures/{figure_job.family}.log",
        benchmark:
            f"results/benchmarks/figures/{figure_job.family}.tsv"
        priority: min(len(figure_job.outputs), 20)
        localrule: True
        conda:
            "../envs/analysis.yaml"
        resources:
            mem_mb=figure_job.mem_mb,
        params:
            family=figure_job.family,
            drawings=figure_job.drawings,
            code=code("figures", *figure_job.modules),
        message:
            "Drawing the figures of family {params.family}"
        script:
            "../scripts/figures.py"
