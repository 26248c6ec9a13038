# INPUTS   results/tables/*.parquet, results/figures/*.png
# OUTPUTS  results/run.yaml (what made the run; replays it) and results/report.html (self-contained, opens offline)


rule provenance:
    input:
        **{name: f"results/tables/{name}.parquet" for name in TABLES},
        code=library("provenance"),
    output:
        run="results/run.yaml",
    log:
        "results/logs/provenance.log",
    benchmark:
        "results/benchmarks/provenance.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
    params:
        config=CONFIG.resolved(),
    message:
        "Writing down what made this run"
    script:
        "../scripts/provenance.py"


rule report:
    input:
        **{name: f"results/tables/{name}.parquet" for name in TABLES},
        run="results/run.yaml",
        checked="results/tables/checked.txt",
        figures=[path for path in ALL_FIGURES if path.endswith(".png")],
        texts=REPORT_TEXTS,
        code=library("report"),
    output:
        report="results/report.html",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    message:
        "Writing the report"
    script:
        "../scripts/report.py"
