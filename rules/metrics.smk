# INPUTS   results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet, all prompts of a model and condition
# OUTPUTS  results/metrics/{metric}/{model}/{condition}.parquet, tidy rows (see scripts/internal_physics/metrics/table.py)
# The Internal Physics Benchmark. EC, ISC, ISG and ISA are scores of a prompt, ISF is one of a whole prompt set.
# One rule each, written out: in a loop, Snakemake would run every one of them with the last one's script.


rule ec:
    input:
        tensors=tensors_of,
        code=library("ec"),
    output:
        metric="results/metrics/ec/{model}/{condition}.parquet",
    log:
        "results/logs/ec/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/ec/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "EC of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/ec.py"


rule isc:
    input:
        tensors=tensors_of,
        code=library("isc"),
    output:
        metric="results/metrics/isc/{model}/{condition}.parquet",
    log:
        "results/logs/isc/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/isc/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "ISC of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/isc.py"


rule isg:
    input:
        tensors=tensors_of,
        code=library("isg"),
    output:
        metric="results/metrics/isg/{model}/{condition}.parquet",
    log:
        "results/logs/isg/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/isg/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "ISG of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/isg.py"


rule isa:
    input:
        tensors=tensors_of,
        code=library("isa"),
    output:
        metric="results/metrics/isa/{model}/{condition}.parquet",
    log:
        "results/logs/isa/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/isa/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "ISA of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/isa.py"


rule isf:
    input:
        tensors=tensors_of,
        code=library("isf"),
    output:
        metric="results/metrics/isf/{model}/{condition}.parquet",
    log:
        "results/logs/isf/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/isf/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        confidence_level=CONFIG.raw["statistics"]["confidence_level"],
    message:
        "ISF of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/isf.py"
