"""Which script and which dispatched module every job runs: what its checksum `code` is made of. No Snakemake.

A label is a rule's name, or for rules that serve several metrics or figures "metric:isf" or "figure:radar". That the
workflow says the same is tested in tests/rules.
"""

from pathlib import Path

from internal_physics.families import registry

SCRIPTS = Path(__file__).parents[2] / "scripts"
GENERIC = ("metric", "figure")  # scripts that load a module by name
TOGETHER = {"gradient_flow": ("ec", "isc", "isg", "isa")}  # rules of several metrics of one module


def adapter_of(rule: str) -> str:
    """The script of a rule: its namesake, but for the rules that share one."""
    if rule.startswith("record_"):
        return "record"
    if rule.startswith("figure_"):
        return "figure"
    return "metric" if rule in TOGETHER else rule


def jobs() -> dict[str, tuple[str, ...]]:
    """Label → its script's name and, for generic ones, the module that this loads."""
    own = {path.stem: (path.stem,) for path in sorted(SCRIPTS.glob("*.py")) if path.stem not in GENERIC}
    return own | _metrics() | {f"figure:{name}": ("figure", registry.figure_module(name)) for name in registry.FIGURES}


def _metrics() -> dict[str, tuple[str, ...]]:
    together = {name: rule for rule, names in TOGETHER.items() for name in names}
    return {
        together.get(name, f"metric:{name}"): ("metric", metric.module)
        for name, metric in registry.METRICS.items()
        if metric.module
    }
