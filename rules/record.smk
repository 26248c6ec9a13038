# INPUTS   results/snapshots/{snapshot}/, the prompts of the config, and a condition's steering file
# OUTPUTS  results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet, one per model–prompt pair, and
#          results/records/{model}/{condition}/{prompt_set}.part{n}.sha256, what a job recorded: all that follows depends on it
# The unit of work is a prompt set (or a part of prompts_per_job prompts of a long one): a job loads the model once.
# Each gets a rule of its own, since the prompts are its outputs: record_{number}_{prompt_set}. In a profile's
# `set-resources` and `set-threads` the name `record` applies to all of them.

for record_job in PLAN.record_jobs:

    rule:
        name:
            record_job.name
        input:
            snapshot=snapshot_of,
            steering=lambda wildcards: PLAN.steering_files(wildcards.model, wildcards.condition),
        output:
            tensors=record_job.outputs,
            listing=record_job.listing,
        log:
            f"results/logs/record/{{model}}/{{condition}}/{record_job.label}.log",
        benchmark:
            f"results/benchmarks/record/{{model}}/{{condition}}/{record_job.label}.tsv"
        wildcard_constraints:
            model=any_of(PLAN.models_on(record_job.prompt_set)),
        priority: 50  # before what needs the records of one model: all else waits for them
        conda:
            "../envs/extract.yaml"
        threads: site_threads("record", recording_threads())
        resources:
            **{"mem_mb": partial(model_mem_mb, job=record_job), "gpu": CONFIG.raw["gpus_per_job"]}
            | site_resources("record"),
        params:
            prompt_set=record_job.prompt_set,
            n_prompts=len(record_job.prompts),
            prompts=record_job.prompts,
            load=load_options,
            steering=lambda wildcards: PLAN.steering(wildcards.condition),
            record=PLAN.record_options(record_job),
            text=text_options_on(record_job.prompt_set),
            code=code("record"),
        message:
            "Recording {wildcards.model} on {params.prompt_set}: {params.n_prompts} prompts, {wildcards.condition}"
        script:
            "../scripts/record.py"
