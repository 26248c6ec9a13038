# Internal Physics: named models and prompts in, each model's physical profile out.
# Data flows one way: record → metrics → tables → figures → report. See README.md.
from snakemake.utils import min_version

min_version("9.0")

# A config on the command line (--configfile) replaces the default; the two are not merged.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/scheduling.smk"
include: "rules/last_words.smk"
include: "rules/fetch.smk"
include: "rules/prompts.smk"
include: "rules/steering.smk"
include: "rules/record.smk"
include: "rules/run.smk"
include: "rules/metrics.smk"
include: "rules/thermodynamics.smk"
include: "rules/information.smk"
include: "rules/tables.smk"
include: "rules/residual_gain.smk"
include: "rules/jacobian.smk"
include: "rules/agreement.smk"
include: "rules/kernel.smk"
include: "rules/training.smk"
include: "rules/figures.smk"
include: "rules/compare.smk"
include: "rules/lab.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report.html",
        "results/explorer.html",
        "results/run.yaml",
        "results/findings.json",
        "results/manifest.txt",
        PLAN.all_listings(),
        PLAN.lost_tensors(),
        PLAN.outputs(),
    localrule: True
    message:
        "All results are there"
