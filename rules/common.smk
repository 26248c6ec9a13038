# What all rules share: the checked config, wildcard constraints and input functions. No torch, no pandas.
import os
import re
import sys
from functools import partial
from pathlib import Path

import psutil

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from internal_physics.config.conditions import BASELINE, files_behind
from internal_physics.config.load import check_duplicate_keys, load_config
from internal_physics.config.plan import lost_tensors, record_jobs
from internal_physics.families import registry
from internal_physics.families.family import CONDITIONS as STEERED
from internal_physics.families.family import WATCH, Per
from internal_physics.ground.closure import code_checksum
from internal_physics.ground.errors import UserError
from internal_physics.report.texts import words_file
from internal_physics.models.memory import estimate_memory, estimate_readout

try:
    check_duplicate_keys(workflow.configfiles)
    CONFIG = load_config(config, where=os.path.relpath((workflow.configfiles or ["config"])[-1]))
except UserError as error:
    raise WorkflowError(str(error)) from None

# Of a workstation; a cluster knows itself what fits where, and its jobs have their share already.
CORES = workflow.resource_settings.cores if workflow.is_main_process and not workflow.resource_settings.nodes else None
if CORES and "mem_mb" not in workflow.global_resources:
    workflow.register_resource("mem_mb", psutil.virtual_memory().total // 10**6)  # jobs side by side have to fit

MODELS = list(CONFIG.models)
PROMPT_SETS = list(CONFIG.prompt_sets)
RUNS = {(run.model, run.condition): run for run in CONFIG.runs}  # what is recorded: each with its prompt sets
CONDITIONS = list(dict.fromkeys(run.condition for run in CONFIG.runs))
CONTRASTS = [name for name, condition in CONFIG.conditions.items() if "contrast" in condition.steering]
GRADIENT_FLOW = ["ec", "isc", "isg", "isa"]  # one reading of the records gives all four
METRICS = CONFIG.raw["metrics"]
ASKED = {*METRICS, *([STEERED] if CONFIG.conditions else []), *([WATCH] if CONFIG.raw["information"]["watch"] else [])}
COLLECTED = [name for name in METRICS if registry.METRICS[name].in_layers]  # those whose rows `collect` reads
SCORED = registry.scored(COLLECTED)
ALONE = [name for name in METRICS if registry.METRICS[name].module and name not in GRADIENT_FLOW]  # one rule for all
TABLES = registry.wanted_tables(ASKED)
FIGURE_FORMATS = ["png", "svg"]
PUBLISHED_CSV = expand("results/thermodynamics/{model}.csv", model=MODELS)

RECORD_JOBS = record_jobs(CONFIG.prompt_sets.values(), CONFIG.raw["record"]["prompts_per_job"])
STEERED_SETS = [s for s in PROMPT_SETS if any(s in r.prompt_sets for r in CONFIG.runs if r.condition != BASELINE)]
GENERATED_SETS = [name for name, options in CONFIG.raw["prompt_sets"].items() if "generate" in options]


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    condition="|".join(map(re.escape, CONDITIONS)),
    contrast="|".join(map(re.escape, CONTRASTS)) or "no-contrast",
    prompt_set="|".join(map(re.escape, PROMPT_SETS)),
    snapshot="|".join(map(re.escape, CONFIG.snapshots)),


def code(adapter, *modules):
    """Checksum of what a script and the library files behind it do: a parameter, so that an edit reruns its dependants."""
    return code_checksum(os.path.join(workflow.basedir, "scripts", f"{adapter}.py"), *modules)


def records_of(wildcards):
    """The listings of all records of one model in one condition: of the prompt sets that it runs, in order."""
    run = RUNS[wildcards.model, wildcards.condition]
    return [
        record_job.listing.format(model=run.model, condition=run.condition)
        for record_job in RECORD_JOBS
        if record_job.prompt_set in run.prompt_sets
    ]


def for_runs(pattern, **wildcards):
    """A path for every model in every condition that it is recorded in, as `expand` would give for independent ones."""
    return [
        path for run in RUNS.values() for path in expand(pattern, model=run.model, condition=run.condition, **wildcards)
    ]


def models_on(prompt_set):
    """Pattern of the models that run a prompt set."""
    return "|".join(re.escape(m) for m in MODELS if CONFIG.models[m]["task"] == CONFIG.prompt_sets[prompt_set].task)


def steering_of(wildcards):
    """What is added to the residual stream in this condition; nothing in the baseline."""
    condition = CONFIG.conditions.get(wildcards.condition)
    return None if condition is None else dict(condition.steering)


def steering_files(wildcards):
    """The file that holds a condition's direction (first) and those it points to: the user's own, or derived from texts."""
    if wildcards.condition in CONTRASTS:
        return f"results/steering/{wildcards.model}/{wildcards.condition}.safetensors"
    file = (steering_of(wildcards) or {}).get("file")
    return [] if file is None else files_behind(file)


def snapshot_of(wildcards):
    """The snapshot folder of a model."""
    return f"results/snapshots/{CONFIG.sources[wildcards.model].snapshot}"


def source_files(wildcards):
    """Files of a local model, so that a changed one is fetched again; nothing for packages and hubs."""
    source = CONFIG.snapshots[wildcards.snapshot]
    if source.kind != "path":
        return []
    path = Path(source.name).expanduser()
    return sorted(str(p) for p in path.glob("*") if p.is_file()) if path.is_dir() else [str(path)] * path.exists()


def source_of(wildcards):
    """Everything that decides a snapshot's content."""
    return vars(CONFIG.snapshots[wildcards.snapshot])


def load_options(wildcards):
    """How a model is loaded: its options without its source."""
    options = CONFIG.models[wildcards.model]
    keys = ["dtype", "quantization", "compute_dtype", "device", "task", "trust_remote_code"]
    return {key: options[key] for key in keys} | {
        "attention": "eager" if CONFIG.raw["record"]["attention_entropy"] else "sdpa"
    }


def record_options(record_job):
    """What a record depends on besides model and prompts; how a set is cut into jobs changes none."""
    options = {key: value for key, value in CONFIG.raw["record"].items() if key != "prompts_per_job"}
    return {**options, "weight_gradients": record_job.weight_gradients}


def record_mem_mb(wildcards, input, attempt):
    """Memory for a job that runs a model, from the weights' headers; a retry asks for more."""
    options = CONFIG.models[wildcards.model]
    return estimate_memory(input.snapshot, options["dtype"], options["quantization"]).total_mb * attempt


def metric_options(wildcards):
    """What of the config's `statistics` a metric takes."""
    return {name: CONFIG.raw["statistics"][name] for name in registry.METRICS[wildcards.metric].options}


def readout_mem_mb(wildcards, input, attempt):
    """Memory for a job that reads residuals: the head, not the blocks."""
    return estimate_readout(input.snapshot, CONFIG.models[wildcards.model]["dtype"]).total_mb * attempt


def site_resources(rule):
    """What a profile's `set-resources` says of `rule`: the rules of a loop have names that no profile can know."""
    asked = workflow.resource_settings.overwrite_resources.get(rule, {})
    return {name: partial(evaluate_resource, value) for name, value in asked.items()}


def evaluate_resource(resource, wildcards, **given):
    """The value of a resource that a profile gives as a number, a text or an expression."""
    return resource.evaluate(wildcards, **given).value


def site_threads(rule, default):
    """What a profile's `set-threads` says of `rule`, else `default`."""
    return workflow.resource_settings.overwrite_threads.get(rule, default)


def recording_threads():
    """Half of a workstation's cores, at most 8: while one job loads its model or writes, another one computes.

    In a cluster's job, and where no cores are given, it is 8.
    """
    return max(1, min(8, CORES // 2)) if CORES else 8


def table_outputs(*names):
    """The two files of each table, as named outputs: {name}_csv and {name}_parquet."""
    return {f"{name}_{kind}": f"results/tables/{name}.{kind}" for name in names for kind in ["csv", "parquet"]}


def prompt_fields(*names):
    """Prompt set → prompt → these fields of it, as the config gives them: only rules that read them become stale."""
    return {
        name: {p.name: {field: getattr(p, field) for field in names} for p in prompt_set.prompts}
        for name, prompt_set in CONFIG.prompt_sets.items()
    }


# What figures may take of the run; one that takes nothing of it is drawn again only where its tables change.
OF_RUN = {
    "models": MODELS,
    "prompt_sets": PROMPT_SETS,
    "seed": CONFIG.raw["seed"],
    "statistics": CONFIG.raw["statistics"],
    "lens_prompts": {model: CONFIG.lens_prompt(model) for model in MODELS},
}
SUBJECTS = {Per.PROMPT_SET: PROMPT_SETS, Per.STEERED_SET: STEERED_SETS, Per.MODEL: MODELS}


def figure_outputs(per):
    """Files of a kind of figure, which stays a wildcard."""
    name = "{{figure}}" if per == Per.RUN else "{{figure}}-{subject}"
    return expand(f"results/figures/{name}.{{format}}", subject=SUBJECTS.get(per, [""]), format=FIGURE_FORMATS)


def figure_files(*names):
    """All files of these kinds of figures."""
    return [path.format(figure=name) for name in names for path in figure_outputs(registry.FIGURES[name].per)]


def figure_inputs(wildcards):
    """Tables and other files that a kind of figure reads."""
    figure = registry.FIGURES[wildcards.figure]
    tables = {name: f"results/tables/{name}.parquet" for name in figure.tables}
    return tables | {name: expand(path, model=MODELS) for name, path in figure.files.items()}


def figure_options(wildcards):
    """What its `figures` function is called with."""
    figure = registry.FIGURES[wildcards.figure]
    of_run = OF_RUN | ({"prompt_sets": STEERED_SETS} if figure.per == Per.STEERED_SET else {})
    return {name: of_run[name] for name in figure.params} | dict(figure.options)


def figures_per(per):
    """Wildcard pattern of the kinds of figures that are drawn once for each of these."""
    return "|".join(registry.wanted_figures(ASKED, per)) or "no-figure"


ALL_FIGURES = figure_files(*registry.wanted_figures(ASKED))
ALL_RECORDS = [path for run in RUNS.values() for path in records_of(run)]
LOST_TENSORS = lost_tensors(RUNS.values(), RECORD_JOBS)
REPORT_TEMPLATE = sorted(os.path.relpath(path) for path in Path(workflow.basedir, "report").iterdir())
REPORT_WORDS = [os.path.relpath(words_file(family, registry.FOLDER)) for family in registry.FAMILIES]
REPORT_FACTS = [family.caption_facts for family in registry.FAMILIES if family.caption_facts]
