# INPUTS   the arms of the config's section lab, and the files that their data options name; an arm may start from the
#          last weights of another
# OUTPUTS  results/lab/arms/{arm}/seed-{seed}/steps/{step}/, snapshots, and training.parquet, the losses
#          results/lab/measures/{arm}/seed-{seed}/{table}.parquet, what was measured on one training
#          results/lab/tables/{table}.csv and .parquet, results/lab/figures/{figure}.*
#          results/lab/tables/lab_physics.* and results/lab/figures/lab_physics.*, for models that are checkpoints of the
#          lab: what the run measured on them, beside what they know; the target lab does not ask for them
#          results/lab/report.html, the claims and figures; the report of the whole run has them, too
# `snakemake lab` makes all of it; nothing here is part of the default target. A training that was killed goes on from
# its last state in results/lab/unfinished. A model of the config with a source lab:arm/seed@step is such a snapshot.

from internal_physics.plan import lab_plan
from internal_physics.report.lab_texts import lab_words_files

LAB = lab_plan.LabPlan(CONFIG.arms, CONFIG.raw["lab"]["measures"])
WATCH.has_lab = bool(CONFIG.arms)
LAB_WORDS = [os.path.relpath(path) for path in lab_words_files(LAB.experiments)]
OF_TRAINING = {"arm": any_of(CONFIG.arms), "seed": any_of(LAB.seeds)}


rule lab:
    input:
        LAB.outputs(PLAN.figure_formats),
    localrule: True
    message:
        "All results of the lab are there"


rule lab_train:
    input:
        files=lambda wildcards: LAB.input_files(wildcards.arm),
        first_weights=lambda wildcards: LAB.first_weights(wildcards.arm, wildcards.seed),
    output:
        losses=lab_plan.LOSSES,
        steps=directory(lab_plan.STEPS),
    log:
        "results/logs/lab_train/{arm}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/lab_train/{arm}/seed-{seed}.tsv"
    wildcard_constraints:
        **OF_TRAINING,
    conda:
        "../envs/extract.yaml"
    threads: site_threads("lab_train", 1)
    resources:
        mem_mb=2000,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        data=lambda wildcards: LAB.experiment_of(wildcards.arm).data,
        arm=lambda wildcards: LAB.training(wildcards.arm),
        unfinished=lab_plan.UNFINISHED,
        begun_by=lambda wildcards: code("lab_train", LAB.experiment_of(wildcards.arm).data),
        code=lambda wildcards: code("lab_train", LAB.experiment_of(wildcards.arm).data),
    message:
        "Training {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/lab_train.py"


rule lab_measure:
    input:
        steps=lab_plan.STEPS,
    output:
        rows=directory(lab_plan.MEASURED),
    log:
        "results/logs/lab_measure/{arm}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/lab_measure/{arm}/seed-{seed}.tsv"
    wildcard_constraints:
        **OF_TRAINING,
    conda:
        "../envs/extract.yaml"
    threads: site_threads("lab_measure", 1)
    resources:
        mem_mb=2000,
        gpu=CONFIG.raw["gpus_per_job"],
    params:
        experiment=lambda wildcards: LAB.module_of(wildcards.arm),
        data=lambda wildcards: LAB.training(wildcards.arm)["data"],
        options=lambda wildcards: LAB.measure_options(wildcards.arm),
        code=lambda wildcards: code("lab_measure", *LAB.measure_modules(wildcards.arm)),
    message:
        "Measuring {wildcards.arm}, seed {wildcards.seed}"
    script:
        "../scripts/lab_measure.py"


rule lab_arms:
    input:
        losses=LAB.for_trainings(lab_plan.LOSSES),
        steps=LAB.for_trainings(lab_plan.STEPS),
    output:
        **lab_plan.lab_tables("lab_training", "lab_arms"),
    log:
        "results/logs/lab_arms.log",
    benchmark:
        "results/benchmarks/lab_arms.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        arms=LAB.described(),
        code=code("lab_arms"),
    message:
        "Collecting the losses of all trainings"
    script:
        "../scripts/lab_arms.py"


# One rule for each experiment, because its tables are its outputs: lab_collect_{experiment}.
for experiment in LAB.experiments:

    rule:
        name:
            f"lab_collect_{experiment}"
        input:
            rows=LAB.for_trainings(lab_plan.MEASURED, experiment),
        output:
            **lab_plan.lab_tables(*(table.name for table in LAB.tables_of(experiment))),
        log:
            f"results/logs/lab_collect_{experiment}.log",
        benchmark:
            f"results/benchmarks/lab_collect_{experiment}.tsv"
        localrule: True
        conda:
            "../envs/analysis.yaml"
        resources:
            mem_mb=1000,
        params:
            experiment=lab_plan.experiment_module(experiment),
            code=code("lab_collect", lab_plan.experiment_module(experiment)),
        message:
            f"Collecting what was measured of {experiment}"
        script:
            "../scripts/lab_collect.py"


rule lab_gates:
    input:
        **LAB.read_by_gates(),
    output:
        **lab_plan.lab_tables("lab_gates"),
    log:
        "results/logs/lab_gates.log",
    benchmark:
        "results/benchmarks/lab_gates.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        experiments=LAB.gates(),
        code=code("lab_gates", *LAB.gate_modules()),
    message:
        "Comparing the lab's measurements with the claims of the literature"
    script:
        "../scripts/lab_gates.py"


for experiment in LAB.with_figures:

    rule:
        name:
            f"lab_figures_{experiment}"
        input:
            **LAB.read_by_figures(experiment),
        output:
            LAB.figure_files(PLAN.figure_formats, experiment),
        log:
            f"results/logs/lab_figures_{experiment}.log",
        benchmark:
            f"results/benchmarks/lab_figures_{experiment}.tsv"
        localrule: True
        conda:
            "../envs/analysis.yaml"
        resources:
            mem_mb=1000,
        params:
            drawings=LAB.drawings(PLAN.figure_formats, experiment),
            code=code("figures", *LAB.figure_modules(experiment)),
        message:
            f"Drawing the figures of {experiment}"
        script:
            "../scripts/figures.py"


rule lab_report:
    input:
        **LAB.shown(),
        lab_words=LAB_WORDS,
        template=REPORT_TEMPLATE,
    output:
        report=lab_plan.REPORT,
    log:
        "results/logs/lab_report.log",
    benchmark:
        "results/benchmarks/lab_report.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        experiments=LAB.titled(),
        code=code("lab_report"),
    message:
        "Writing the report of the lab"
    script:
        "../scripts/lab_report.py"


FOLLOWED = LAB.followed(CONFIG.models) if "training" in PLAN.tables else {}
SEEN = ["results/lab/tables/lab_physics.parquet", "results/lab/figures/lab_physics.png"] if FOLLOWED else []


rule lab_physics:
    input:
        **{name: f"results/tables/{name}.parquet" for name in ("training", "training_kernels") if name in PLAN.tables},
        **LAB.read_by_physics(CONFIG.models),
    output:
        **lab_plan.lab_tables("lab_physics"),
    log:
        "results/logs/lab_physics.log",
    benchmark:
        "results/benchmarks/lab_physics.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        trainings=FOLLOWED,
        learned=LAB.learned(CONFIG.models),
        code=code("lab_physics"),
    message:
        "Putting the physics of checkpoints beside what they know"
    script:
        "../scripts/lab_physics.py"


rule lab_figures_physics:
    input:
        lab_physics="results/lab/tables/lab_physics.parquet",
    output:
        [f"results/lab/figures/lab_physics.{kind}" for kind in PLAN.figure_formats],
    log:
        "results/logs/lab_figures_physics.log",
    benchmark:
        "results/benchmarks/lab_figures_physics.tsv"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
    params:
        drawings=[
            {
                "module": "internal_physics.lab.physics.figures.lab_physics",
                "outputs": [f"results/lab/figures/lab_physics.{kind}" for kind in PLAN.figure_formats],
                "options": {},
            }
        ],
        code=code("figures", "internal_physics.lab.physics.figures.lab_physics"),
    message:
        "Drawing the physics of models while they learn"
    script:
        "../scripts/figures.py"


# One job, because starting Python takes longer than the kernels of all small trainings.
if LAB.with_kernels:

    rule lab_kernel:
        input:
            steps=LAB.kernel_steps(),
        output:
            **lab_plan.lab_tables("lab_kernel"),
        log:
            "results/logs/lab_kernel.log",
        benchmark:
            "results/benchmarks/lab_kernel.tsv"
        conda:
            "../envs/extract.yaml"
        threads: site_threads("lab_kernel", 1)
        resources:
            mem_mb=4000,
            gpu=CONFIG.raw["gpus_per_job"],
        params:
            trainings=LAB.kernel_trainings(),
            code=code("lab_kernel", *LAB.kernel_modules()),
        message:
            "Comparing gradients of lab models"
        script:
            "../scripts/lab_kernel.py"

    rule lab_figures_kernel:
        input:
            lab_kernel="results/lab/tables/lab_kernel.parquet",
        output:
            LAB.kernel_figure_files(PLAN.figure_formats),
        log:
            "results/logs/lab_figures_kernel.log",
        benchmark:
            "results/benchmarks/lab_figures_kernel.tsv"
        localrule: True
        conda:
            "../envs/analysis.yaml"
        resources:
            mem_mb=1000,
        params:
            drawings=LAB.kernel_drawings(PLAN.figure_formats),
            code=code("figures", lab_plan.KERNEL_FIGURE.module),
        message:
            "Drawing the gradients of lab models"
        script:
            "../scripts/figures.py"
