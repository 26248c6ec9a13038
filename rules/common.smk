# What all rules share: the checked config, wildcard constraints and input functions. No torch, no pandas.
import os
import re
import sys
from functools import partial
from pathlib import Path

import psutil
from snakemake.logging import logger

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from internal_physics.config.conditions import BASELINE
from internal_physics.config.load import check_duplicate_keys, load_config
from internal_physics.families import registry
from internal_physics.families.family import Per
from internal_physics.ground.closure import code_checksum
from internal_physics.ground.errors import UserError
from internal_physics.ground.joblog import forward
from internal_physics.models.adapted import local_files
from internal_physics.models.memory import estimate_memory, estimate_readout, estimate_spectra
from internal_physics.plan.figure_jobs import figure_jobs
from internal_physics.plan.kernel_memory import has_local_tables, kernel_memory_mb, kernel_tables_memory_mb
from internal_physics.plan.refusals import refuse_what_cannot_run
from internal_physics.plan.requirements import refuse_unusable_python
from internal_physics.plan.run_plan import RunPlan, table_files
from internal_physics.report.texts import words_file

# Messages of the library while the workflow is read, such as the number of prompts in a file: once, not in every job.
forward(logger if workflow.is_main_process else None)

try:
    refuse_unusable_python(sys.executable)
    check_duplicate_keys(workflow.configfiles)
    CONFIG_NAME = os.path.relpath((workflow.configfiles or ["config"])[-1])
    CONFIG = load_config(config, CONFIG_NAME)
    refuse_what_cannot_run(CONFIG, CONFIG_NAME)
except UserError as error:
    raise WorkflowError(str(error)) from None

# Only on a workstation: a cluster schedules by itself, and its jobs already have their share.
CORES = workflow.resource_settings.cores if workflow.is_main_process and not workflow.resource_settings.nodes else None
if CORES and "mem_mb" not in workflow.global_resources:
    workflow.register_resource("mem_mb", psutil.virtual_memory().total // 10**6)  # jobs side by side have to fit

PLAN = RunPlan(CONFIG)
REPORT_TEMPLATE = sorted(os.path.relpath(path) for path in Path(workflow.basedir, "report").iterdir())
REPORT_WORDS = [os.path.relpath(words_file(family, registry.FOLDER)) for family in registry.FAMILIES]
REPORT_FACTS = [family.caption_facts for family in registry.FAMILIES if family.caption_facts]


def any_of(names, otherwise="nothing-has-this-name"):
    """Pattern of a wildcard that is one of these names."""
    return "|".join(map(re.escape, names)) or otherwise


wildcard_constraints:
    model=any_of(PLAN.models),
    condition=any_of(PLAN.conditions),
    contrast=any_of(dict.fromkeys(PLAN.contrasts.values())),
    prompt_set=any_of(PLAN.prompt_sets),
    snapshot=any_of(CONFIG.snapshots),


def code(adapter, *modules):
    """Checksum of what a script and the library files behind it do: a parameter, so that an edit reruns its dependants."""
    return code_checksum(os.path.join(workflow.basedir, "scripts", f"{adapter}.py"), *modules)


def snapshot_of(wildcards):
    """The snapshot folder of a model."""
    return PLAN.snapshot(wildcards.model)


def records_of(wildcards):
    """The listings of all records of one model in one condition."""
    return PLAN.listings(wildcards.model, wildcards.condition)


def references_of(wildcards):
    """The listings of the records that those of one model in one condition may be compared with."""
    runs = PLAN.references(wildcards.model, wildcards.condition)
    return [path for run in runs for path in PLAN.listings(*run)]


def load_options(wildcards):
    """How a model is loaded."""
    return PLAN.load_options(wildcards.model)


def text_options_on(prompt_set):
    """How the texts of a prompt set become tokens, by model."""
    return lambda wildcards: PLAN.text_options(wildcards.model, prompt_set)


def source_files(wildcards):
    """Files of a local model that loading uses, so that a changed one is fetched again; none of packages and hubs."""
    return local_files(CONFIG.snapshots[wildcards.snapshot])


def source_of(wildcards):
    """Everything that decides a snapshot's content."""
    return vars(CONFIG.snapshots[wildcards.snapshot])


def model_mem_mb(wildcards, input, attempt, job=None):
    """Memory for a job that runs a model, from its weights' headers and the job's prompts; a retry asks for more."""
    options = CONFIG.models[wildcards.model]
    how = (options["dtype"], options["quantization"], PLAN.largest_pass(input.snapshot, job))
    return estimate_memory(input.snapshot, *how, gpu=CONFIG.raw["gpus_per_job"] > 0).job_mb * attempt


def spectra_mem_mb(wildcards, input, attempt, threads):
    """Memory for a job that decomposes a model's weights, as many at a time as it has threads."""
    options = CONFIG.models[wildcards.model]
    how = (options["dtype"], options["quantization"], threads)
    return estimate_spectra(input.snapshot, *how, gpu=CONFIG.raw["gpus_per_job"] > 0).job_mb * attempt


def readout_mem_mb(wildcards, input, attempt):
    """Memory for a job that reads residuals: the head, not the blocks."""
    return estimate_readout(input.snapshot, CONFIG.models[wildcards.model]["dtype"]).job_mb * attempt


def kernel_mem_mb(wildcards, attempt):
    """Memory for the kernels of one model and condition, by the number of their prompts."""
    return kernel_memory_mb(PLAN.kept_prompts(wildcards.model, wildcards.condition)) * attempt


def kernel_tables_mem_mb(wildcards, attempt):
    """Memory for the tables of all kernels, likewise."""
    return kernel_tables_memory_mb(PLAN.kept_prompts(*run) for run in PLAN.runs) * attempt


def site_resources(rule):
    """The `set-resources` of a profile for `rule`: the rules of a loop have names that no profile can know."""
    asked = workflow.resource_settings.overwrite_resources.get(rule, {})
    return {name: partial(evaluate_resource, value) for name, value in asked.items()}


def evaluate_resource(resource, wildcards, **given):
    """The value of a resource that a profile gives as a number, a text or an expression."""
    return resource.evaluate(wildcards, **given).value


def site_threads(rule, default):
    """The `set-threads` of a profile for `rule`, otherwise `default`."""
    return workflow.resource_settings.overwrite_threads.get(rule, default)


def recording_threads():
    """Half of a workstation's cores, at most 8: while one job loads its model or writes, another one computes.

    In a cluster's job, and where no cores are given, it is 8.
    """
    return max(1, min(8, CORES // 2)) if CORES else 8


def prompt_notes(*names):
    """Prompt set → prompt → these notes on it, as the config gives them."""
    return {
        name: {prompt.name: {note: getattr(prompt, note) for note in names} for prompt in prompt_set.prompts}
        for name, prompt_set in CONFIG.prompt_sets.items()
    }
