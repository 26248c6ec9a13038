# INPUTS   results/snapshots/{snapshot}/, results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet
# OUTPUTS  results/weights/{model}.parquet (all singular values), results/thermodynamics/{model}/{condition}/ and
#          results/phases/{model}/{condition}/ (rows of one model), results/tables/{table}.csv and .parquet,
#          results/thermodynamics/{model}.csv (under the published column names)
# A spectrum does not depend on prompts, a state not on thresholds: so adding prompts or changing thresholds recomputes neither.


rule spectra:
    input:
        snapshot=snapshot_of,
    output:
        weights="results/weights/{model}.parquet",
    log:
        "results/logs/spectra/{model}.log",
    benchmark:
        "results/benchmarks/spectra/{model}.tsv"
    priority: 30
    conda:
        "../envs/extract.yaml"
    threads: recording_threads()
    resources:
        mem_mb=spectra_mem_mb,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        load=load_options,
        code=code("spectra"),
    message:
        "Singular values of the weights of {wildcards.model}"
    script:
        "../scripts/spectra.py"


rule thermodynamics:
    input:
        records=records_of,
        weights="results/weights/{model}.parquet",
    output:
        metric="results/metrics/thermodynamics/{model}/{condition}.parquet",
        states="results/thermodynamics/{model}/{condition}/states.parquet",
        means="results/thermodynamics/{model}/{condition}/means.parquet",
    log:
        "results/logs/thermodynamics/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/thermodynamics/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        order=CONFIG.raw["thermodynamics"]["order"],
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("thermodynamics"),
    message:
        "Thermodynamics of the weights of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/thermodynamics.py"


rule phases:
    input:
        states="results/thermodynamics/{model}/{condition}/states.parquet",
    output:
        flags="results/phases/{model}/{condition}/flags.parquet",
        layers="results/phases/{model}/{condition}/layers.parquet",
        counts="results/phases/{model}/{condition}/counts.parquet",
    log:
        "results/logs/phases/{model}/{condition}.log",
    benchmark:
        "results/benchmarks/phases/{model}/{condition}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        thermodynamics=CONFIG.raw["thermodynamics"],
        seed=CONFIG.raw["seed"],
        code=code("phases"),
    message:
        "Phases along depth of {wildcards.model}, {wildcards.condition}"
    script:
        "../scripts/phases.py"


rule collect_thermodynamics:
    input:
        weights=expand("results/weights/{model}.parquet", model=PLAN.models),
        states=PLAN.for_runs("results/thermodynamics/{model}/{condition}/states.parquet"),
        means=PLAN.for_runs("results/thermodynamics/{model}/{condition}/means.parquet"),
        flags=PLAN.for_runs("results/phases/{model}/{condition}/flags.parquet"),
        layers=PLAN.for_runs("results/phases/{model}/{condition}/layers.parquet"),
        counts=PLAN.for_runs("results/phases/{model}/{condition}/counts.parquet"),
    output:
        **table_files("spectra", "thermodynamics", "thermodynamics_means", "phases", "phase_counts"),
        published=expand("results/thermodynamics/{model}.csv", model=PLAN.models),
    log:
        "results/logs/collect_thermodynamics.log",
    benchmark:
        "results/benchmarks/collect_thermodynamics.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
    params:
        models=PLAN.models,
        code=code("collect_thermodynamics"),
    message:
        "Collecting spectra, thermodynamics and phases into tables"
    script:
        "../scripts/collect_thermodynamics.py"


rule pulls:
    input:
        states=PLAN.for_runs("results/thermodynamics/{model}/{condition}/states.parquet"),
    output:
        **table_files("pulls", "pulls_means"),
    log:
        "results/logs/pulls.log",
    benchmark:
        "results/benchmarks/pulls.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        seed=CONFIG.raw["seed"],
        statistics=CONFIG.raw["statistics"],
        code=code("pulls"),
    message:
        "Ranking the weights that each prompt pulls at"
    script:
        "../scripts/pulls.py"
