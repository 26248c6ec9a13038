# INPUTS   results/tables/*.parquet, results/figures/*.png, claims, arms and figures of the lab in results/lab,
#           results/lens/{model}/{condition}/positions.parquet
# OUTPUTS  results/run.yaml (what made the run; replays it) results/findings.json
#          results/report.html and results/explorer.html (self-contained, open offline)


rule provenance:
    input:
        **{name: f"results/tables/{name}.parquet" for name in PLAN.tables},
        manifest="results/manifest.txt",
    output:
        run="results/run.yaml",
    log:
        "results/logs/provenance.log",
    benchmark:
        "results/benchmarks/provenance.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
    params:
        config=CONFIG.resolved(),
        code=code("provenance"),
    message:
        "Writing down what made this run"
    script:
        "../scripts/provenance.py"


rule findings:
    input:
        **{name: f"results/tables/{name}.parquet" for name in PLAN.tables},
    output:
        findings="results/findings.json",
    log:
        "results/logs/findings.log",
    benchmark:
        "results/benchmarks/findings.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        modules=PLAN.findings_modules,
        confidence_level=CONFIG.raw["statistics"]["confidence_level"],
        code=code("findings", *PLAN.findings_modules),
    message:
        "Putting what was found into sentences"
    script:
        "../scripts/findings.py"


rule report:
    input:
        **{name: f"results/tables/{name}.parquet" for name in PLAN.tables},
        **(LAB.shown() | {"lab_words": LAB_WORDS, "lab_physics": SEEN} if CONFIG.arms else {}),
        run="results/run.yaml",
        findings="results/findings.json",
        checked="results/tables/checked.txt",
        figures=PLAN.figure_files(*PLAN.figures(), formats=("png",)),
        template=REPORT_TEMPLATE,
        words=REPORT_WORDS,
    output:
        report="results/report.html",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    threads: 2  # no other job is left
    resources:
        mem_mb=1000,
    params:
        experiments=LAB.titled(),
        code=code("report", *REPORT_FACTS),
    message:
        "Writing the report"
    script:
        "../scripts/report.py"


rule explorer:
    input:
        **{name: f"results/tables/{name}.parquet" for name in PLAN.tables},
        checked="results/tables/checked.txt",
        lenses=PLAN.lens_files,
    output:
        explorer="results/explorer.html",
    log:
        "results/logs/explorer.log",
    benchmark:
        "results/benchmarks/explorer.tsv"
    priority: 25  # beside the last figures
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
    params:
        confidence_level=CONFIG.raw["statistics"]["confidence_level"],
        code=code("explorer"),
    message:
        "Writing the explorer"
    script:
        "../scripts/explorer.py"
