"""Which script and which dispatched module every job runs: what its checksum `code` is made of. No Snakemake.

A label is a rule's name or, for rules that serve several metrics or tables, "metric:isf" or "table:isf_spectra". Jobs
of the lab have the name of their experiment. That the workflow says the same is tested in tests/rules.
"""

from pathlib import Path

from internal_physics.families import registry
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.plan.lab_plan import KERNEL_FIGURE, experiment_module

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Jobs whose rows follow from the records alone, and jobs that read table prompts_read.
FROM_RECORDS = {
    *("gradient_flow", "metric:isf", "metric:residual_gain", "metric:routing", "thermodynamics", "information"),
    *("agreement", "kernel"),
}
WITH_NOTES = {
    *("collect", "gains", "hypotheses", "residual_gain_result", "information_package", "decided", "model_pairs"),
    "collect_kernel",
}
GENERIC = ("metric", "figures", "table")  # scripts that load a module by name
OF_EXPERIMENTS = ("lab_train", "lab_measure", "lab_collect")  # likewise, for each experiment of the lab
# Rules of several metrics of one module.
TOGETHER = {metric.rule for metric in registry.METRICS.values() if metric.module and metric.rule != "metric"}


def adapter_of(rule: str) -> str:
    """The script of a rule: its namesake, but for the rules that share one."""
    if rule.startswith("record_"):
        return "record"
    if rule.startswith(("figures_", "lab_figures_")):
        return "figures"
    if rule.startswith("lab_collect_"):
        return "lab_collect"
    return "metric" if rule in TOGETHER else rule


def figures_label(figure: str) -> str:
    """Label of the job that draws a kind of figure: all of its family are drawn in one."""
    (family,) = (family for family in registry.FAMILIES if figure in [other.name for other in family.figures])
    return f"figures_{family.name}"


def jobs() -> dict[str, tuple[str, ...]]:
    """Label → its script's name and the modules that it loads by name."""
    alone = [path.stem for path in sorted(SCRIPTS.glob("*.py")) if path.stem not in (*GENERIC, *OF_EXPERIMENTS)]
    own: dict[str, tuple[str, ...]] = {script: (script,) for script in alone}
    compared = {name: e.kernels for name, e in EXPERIMENTS.items() if e.kernels}
    named = [module for name, kernels in compared.items() for module in (experiment_module(name), kernels)]
    own["lab_kernel"] = ("lab_kernel", *named)
    own["lab_figures_kernel"] = ("figures", KERNEL_FIGURE.module)
    own["lab_gates"] = ("lab_gates", *(e.gates for e in EXPERIMENTS.values() if e.gates))
    own["report"] = ("report", *(family.caption_facts for family in registry.FAMILIES if family.caption_facts))
    own["findings"] = (
        "findings",
        *registry.findings_modules(table.name for f in registry.FAMILIES for table in f.tables),
    )
    figures = {
        figures_label(family.figures[0].name): ("figures", *(family.module_of(figure) for figure in family.figures))
        for family in registry.FAMILIES
        if family.figures
    }
    tables = {f"table:{name}": ("table", registry.table_module(name)) for name in registry.FROM_METRIC}
    return own | _metrics() | figures | tables | _lab()


def _lab() -> dict[str, tuple[str, ...]]:
    """Jobs of the experiments: "lab_train:rows", "lab_measure:rows", "lab_collect_rows", "lab_figures_junk"."""
    found: dict[str, tuple[str, ...]] = {}
    found["lab_figures_physics"] = ("figures", "internal_physics.lab.physics.figures.lab_physics")
    for name, experiment in EXPERIMENTS.items():
        described = experiment_module(name)
        found[f"lab_train:{name}"] = ("lab_train", experiment.data)
        found[f"lab_measure:{name}"] = ("lab_measure", described, experiment.measures)
        found[f"lab_collect_{name}"] = ("lab_collect", described)
        if experiment.figures:
            found[f"lab_figures_{name}"] = ("figures", *(figure.module for figure in experiment.figures))
    return found


def _metrics() -> dict[str, tuple[str, ...]]:
    return {
        metric.rule if metric.rule in TOGETHER else f"metric:{name}": ("metric", metric.module)
        for name, metric in registry.METRICS.items()
        if metric.module
    }
