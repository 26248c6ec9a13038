"""Which script and which dispatched module every job runs: what its checksum `code` is made of. No Snakemake.

A label is a rule's name or, for rules that serve several metrics or tables, "metric:isf" or "table:isf_spectra".
That the workflow says the same is tested in tests/rules.
"""

from pathlib import Path

from internal_physics.families import registry

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
# Rules of several metrics of one module.
TOGETHER = {metric.rule for metric in registry.METRICS.values() if metric.module and metric.rule != "metric"}


def adapter_of(rule: str) -> str:
    """The script of a rule: its namesake, but for the rules that share one."""
    if rule.startswith("record_"):
        return "record"
    if rule.startswith("figures_"):
        return "figures"
    return "metric" if rule in TOGETHER else rule


def figures_label(figure: str) -> str:
    """Label of the job that draws a kind of figure: all of its family are drawn in one."""
    (family,) = (family for family in registry.FAMILIES if figure in [other.name for other in family.figures])
    return f"figures_{family.name}"


def jobs() -> dict[str, tuple[str, ...]]:
    """Label → its script's name and the modules that it loads by name."""
    own = {path.stem: (path.stem,) for path in sorted(SCRIPTS.glob("*.py")) if path.stem not in GENERIC}
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
    return own | _metrics() | figures | tables


def _metrics() -> dict[str, tuple[str, ...]]:
    return {
        metric.rule if metric.rule in TOGETHER else f"metric:{name}": ("metric", metric.module)
        for name, metric in registry.METRICS.items()
        if metric.module
    }
