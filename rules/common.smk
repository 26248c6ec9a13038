# What all rules share: the checked config, wildcard constraints and input functions. No torch, no pandas.
import os
import re
import sys
from functools import partial
from pathlib import Path

import psutil

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from internal_physics.closure import library_files, script_files
from internal_physics.conditions import BASELINE, files_behind
from internal_physics.config import check_duplicate_keys, load_config
from internal_physics.errors import UserError
from internal_physics.metrics import GRADIENT_FLOW, RESIDUAL_GAIN
from internal_physics.models.memory import estimate_memory, estimate_readout
from internal_physics.workplan import lost_tensors, record_jobs

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
METRICS = [name for name in CONFIG.raw["metrics"] if name != "information"]  # those whose rows `collect` reads
INFORMATION = "information" in CONFIG.raw["metrics"]
COMPARED = METRICS + (["information"] if INFORMATION else [])  # between conditions
SCORES = [metric for metric in METRICS if metric in GRADIENT_FLOW]  # those that have one number per prompt set
FIGURE_FORMATS = ["png", "svg"]
TABLES = ["scores", "scores_normalized", "prompts", "layers", "isf_spectra", "correlations"]
TABLES += ["gains", "hypotheses"] if RESIDUAL_GAIN in METRICS else []
TABLES += ["comparisons"] if CONFIG.conditions else []
# The weights' tables, figures and files, where `thermodynamics` is among the metrics; rules without a target run nothing.
WEIGHT_TABLES = ["spectra", "thermodynamics", "thermodynamics_means", "phases", "phase_counts"]
WEIGHT_FIGURES_BY_SET = ["thermodynamics_profile", "thermodynamics_heatmap", "state_diagrams", "phase_map"]
PUBLISHED_CSV = expand("results/thermodynamics/{model}.csv", model=MODELS)
ASKED_FOR_WEIGHTS = "thermodynamics" in METRICS
TABLES += ["information", "predictions"] if INFORMATION else []
TABLES += WEIGHT_TABLES if ASKED_FOR_WEIGHTS else []
FIGURES_BY_SET = ["radar"] if SCORES else []  # drawn once for each prompt set; each needs the metrics that it shows
FIGURES_BY_SET += ["layer_profiles", "layer_heatmap"] if {"ec", "isc", "isa"} <= set(METRICS) else []
FIGURES_BY_SET += ["isf_spectrum"] if "isf" in METRICS else []
FIGURES_BY_SET += ["information_profiles"] if INFORMATION else []
FIGURES_BY_SET += WEIGHT_FIGURES_BY_SET if ASKED_FOR_WEIGHTS else []
# What steering changes along depth: table → what its figures' names end in.
ALONG_DEPTH = {"layers": ""} if {"ec", "isc", "isa", RESIDUAL_GAIN} & set(METRICS) else {}
ALONG_DEPTH |= {"information": "_information"} if INFORMATION else {}
FIGURES_OF_STEERING = [
    f"{kind}{suffix}" for suffix in ALONG_DEPTH.values() for kind in ["standard_control", "layer_impact"]
]
FIGURES_OF_STEERING += ["difference_distributions"] if {"ec", "isc", "isg", "isa"} & set(METRICS) else []
FIGURES_OF_STEERING += ["watched_tokens"] if INFORMATION and CONFIG.raw["information"]["watch"] else []

RECORD_JOBS = record_jobs(CONFIG.prompt_sets.values(), CONFIG.raw["record"]["prompts_per_job"])
STEERED_SETS = [s for s in PROMPT_SETS if any(s in r.prompt_sets for r in CONFIG.runs if r.condition != BASELINE)]
GENERATED_SETS = [name for name, options in CONFIG.raw["prompt_sets"].items() if "generate" in options]


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    condition="|".join(map(re.escape, CONDITIONS)),
    contrast="|".join(map(re.escape, CONTRASTS)) or "no-contrast",
    prompt_set="|".join(map(re.escape, PROMPT_SETS)),
    snapshot="|".join(map(re.escape, CONFIG.snapshots)),


def library(rule):
    """Library files that a rule's script reaches, as inputs: compared by checksum, so that an edit reruns its dependants."""
    script = os.path.join(workflow.basedir, "scripts", f"{rule}.py")
    return [os.path.relpath(path) for path in script_files(script)]


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


def lens_prompt(wildcards):
    """Set and name of the prompt whose lens is drawn for a model."""
    return CONFIG.lens_prompt(wildcards.model)


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


def figures(kind, sets=PROMPT_SETS):
    """Paths of a figure: one per prompt set and format."""
    return expand("results/figures/{kind}-{set}.{format}", kind=kind, set=sets, format=FIGURE_FORMATS)


def table_outputs(*names):
    """The two files of each table, as named outputs: {name}_csv and {name}_parquet."""
    return {f"{name}_{kind}": f"results/tables/{name}.{kind}" for name in names for kind in ["csv", "parquet"]}


def prompt_fields(*names):
    """Prompt set → prompt → these fields of it, as the config gives them: only rules that read them become stale."""
    return {
        name: {p.name: {field: getattr(p, field) for field in names} for p in prompt_set.prompts}
        for name, prompt_set in CONFIG.prompt_sets.items()
    }


def by_model(kind):
    """Paths of a figure: one per model and format."""
    return expand("results/figures/{kind}-{model}.{format}", kind=kind, model=MODELS, format=FIGURE_FORMATS)


GAIN_FIGURES = by_model("gain_panels") + expand("results/figures/gain_heatmap.{format}", format=FIGURE_FORMATS)
ALL_FIGURES = [path for kind in FIGURES_BY_SET for path in figures(kind)] + expand(
    "results/figures/correlation_matrix.{format}", format=FIGURE_FORMATS
)
ALL_FIGURES += [path for kind in FIGURES_OF_STEERING for path in figures(kind, STEERED_SETS)]
ALL_FIGURES += GAIN_FIGURES if RESIDUAL_GAIN in METRICS else []
ALL_FIGURES += by_model("singular_spectra") if ASKED_FOR_WEIGHTS else []

ALL_RECORDS = [path for run in RUNS.values() for path in records_of(run)]
LOST_TENSORS = lost_tensors(RUNS.values(), RECORD_JOBS)
REPORT_TEXTS = sorted(os.path.relpath(path) for path in Path(workflow.basedir, "report").iterdir())
