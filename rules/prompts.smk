# INPUTS   resources/templates/{template}.yaml, or a template file of the config
# OUTPUTS  results/prompts/{prompt_set}.yaml, a generated prompt set to read or to use as a file
# The names of prompts are names of files, so the sentences are made while the config is read, and written down here.


rule generate:
    output:
        prompts="results/prompts/{prompt_set}.yaml",
    log:
        "results/logs/generate/{prompt_set}.log",
    benchmark:
        "results/benchmarks/generate/{prompt_set}.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
    params:
        prompts=lambda wildcards: [p.to_json() for p in CONFIG.prompt_sets[wildcards.prompt_set].prompts],
        made_from=lambda wildcards: CONFIG.raw["prompt_sets"][wildcards.prompt_set].get("generate", {}),
        code=code("generate"),
    message:
        "Writing down the generated prompt set {wildcards.prompt_set}"
    script:
        "../scripts/generate.py"
