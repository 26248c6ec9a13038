# INPUTS   results/tables/models.parquet, and those of scores, prompts, gains, decided_means, kernel and kernel_summary that
#          the run has
# OUTPUTS  results/tables/training.* and training_kernels.*; results/figures/along_training-{prompt_set}.*
#          and kernel_along_training.*
# What moves while a model learns? Only for configs in which several models are checkpoints of one training.

ALONG_TRAINING = [name for name in ("scores", "prompts", "gains", "decided_means") if name in PLAN.tables]


rule training:
    input:
        **{name: f"results/tables/{name}.parquet" for name in ALONG_TRAINING},
        models="results/tables/models.parquet",
    output:
        **table_files("training"),
    log:
        "results/logs/training.log",
    benchmark:
        "results/benchmarks/training.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        penalty=CONFIG.raw["thermodynamics"]["change_penalty"],
        code=code("training"),
    message:
        "Following checkpoints along the steps of their training"
    script:
        "../scripts/training.py"


rule training_kernels:
    input:
        models="results/tables/models.parquet",
        kernel="results/tables/kernel.parquet",
        summary="results/tables/kernel_summary.parquet",
    output:
        **table_files("training_kernels"),
    log:
        "results/logs/training_kernels.log",
    benchmark:
        "results/benchmarks/training_kernels.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        penalty=CONFIG.raw["thermodynamics"]["change_penalty"],
        code=code("training_kernels"),
    message:
        "Measuring how far the kernels of checkpoints have moved"
    script:
        "../scripts/training_kernels.py"
