# INPUTS   results/tensors/{model}/baseline/{prompt_set}/{prompt}.parquet (footers alone), results/snapshots/{snapshot}/, the config
# OUTPUTS  results/prompts_read/{model}.parquet, and results/tables/models.*, prompts_read.*, conditions.*: what the names in all
#          other tables stand for
#          results/manifest.txt, what this config makes; what other configs left is moved to results/aside
# The footers are read apart from the config's notes, so that a changed note of a prompt reads no record again.


rule manifest:
    output:
        manifest="results/manifest.txt",
    log:
        "results/logs/manifest.log",
    benchmark:
        "results/benchmarks/manifest.tsv"
    priority: 100  # what another config left goes away before this run fills the same folders
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
    params:
        outputs=PLAN.outputs(),
        config_checksum=PLAN.config_checksum,
        of_run=["results/report.html", "results/explorer.html", "results/run.yaml"],
        code=code("manifest"),
    message:
        "Listing what this run makes"
    script:
        "../scripts/manifest.py"


rule prompts_read:
    input:
        snapshot=snapshot_of,
        records=lambda wildcards: PLAN.listings(wildcards.model, BASELINE),
    output:
        prompts="results/prompts_read/{model}.parquet",
    log:
        "results/logs/prompts_read/{model}.log",
    benchmark:
        "results/benchmarks/prompts_read/{model}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        code=code("prompts_read"),
    message:
        "Prompts as {wildcards.model} reads them"
    script:
        "../scripts/prompts_read.py"


rule run_tables:
    input:
        prompts=expand("results/prompts_read/{model}.parquet", model=PLAN.models),
        snapshots=[PLAN.snapshot(model) for model in PLAN.models],
    output:
        **table_files("models", "prompts_read", "conditions"),
    log:
        "results/logs/run_tables.log",
    benchmark:
        "results/benchmarks/run_tables.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        models=PLAN.model_descriptions(),
        notes=prompt_notes("kind", "difficulty", "answer"),
        conditions={name: dict(condition.steering) for name, condition in CONFIG.conditions.items()},
        runs=[(run.model, run.condition, run.prompt_sets) for run in PLAN.runs.values()],
        code=code("run_tables"),
    message:
        "Collecting what models, prompts and conditions stand for"
    script:
        "../scripts/run_tables.py"
