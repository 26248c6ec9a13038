"""All families, by name. The Snakefile, the checks, the report and the documentation start here.

To add a family, make its folder and name its FAMILY below. Metrics and figures must not import this module: it reaches
every family, so that any new one would make them stale. A test holds them to it.
"""

import math
from collections.abc import Iterable, Set
from dataclasses import replace
from pathlib import Path

from internal_physics.families.agreement.family import FAMILY as AGREEMENT
from internal_physics.families.comparison.family import FAMILY as COMPARISON
from internal_physics.families.family import Family, Figure, Metric, Per, Score, is_wanted
from internal_physics.families.gradient_flow.family import FAMILY as GRADIENT_FLOW
from internal_physics.families.information.family import FAMILY as INFORMATION
from internal_physics.families.jacobian.family import FAMILY as JACOBIAN
from internal_physics.families.kernel.family import FAMILY as KERNEL
from internal_physics.families.pairs import tables as pairs
from internal_physics.families.pairs.family import FAMILY as PAIRS
from internal_physics.families.residual_gain.family import FAMILY as RESIDUAL_GAIN
from internal_physics.families.routing.family import FAMILY as ROUTING
from internal_physics.families.run.family import FAMILY as RUN
from internal_physics.families.scores import tables as shared
from internal_physics.families.scores.family import FAMILY as SCORES
from internal_physics.families.thermodynamics.family import FAMILY as THERMODYNAMICS
from internal_physics.families.training.family import FAMILY as TRAINING
from internal_physics.tables.columns import PLAIN
from internal_physics.tables.table import Quantity, Table

FOLDER = Path(__file__).parent  # of all families
FAMILIES: tuple[Family, ...] = (
    RUN,
    SCORES,
    PAIRS,
    GRADIENT_FLOW,
    THERMODYNAMICS,
    ROUTING,
    INFORMATION,
    COMPARISON,
    RESIDUAL_GAIN,
    JACOBIAN,
    AGREEMENT,
    KERNEL,
    TRAINING,
)

PAIRED = (Score.PROMPT, Score.SET)
METRICS: dict[str, Metric] = {metric.name: metric for family in FAMILIES for metric in family.metrics}
FIGURES: dict[str, Figure] = {figure.name: figure for family in FAMILIES for figure in family.figures}
ONLY_WITH = {name: figure.only_with for name, figure in FIGURES.items() if figure.only_with}  # kind of figure -> table


def scored(metrics: Iterable[str]) -> dict[str, str]:
    """Metrics of these that have scores -> how their rows become scores (the values of family.Score)."""
    return {name: METRICS[name].score.value for name in metrics if METRICS[name].score != Score.NONE}


def paired(metrics: Iterable[str]) -> list[str]:
    """Metrics of these that table `model_pairs` compares: one number per prompt, or per prompt set."""
    return [name for name in metrics if METRICS[name].score in PAIRED]


def score_names(metrics: Iterable[str]) -> list[str]:
    """The scores that every model and prompt set has where these metrics are asked for."""
    return [score for name in metrics for score in METRICS[name].scores]


def score_units(metrics: Iterable[str]) -> dict[str, str]:
    """The scores of these metrics, and the loss -> the unit of each."""
    own = {score: METRICS[name].units.get(score, PLAIN) for name in metrics for score in METRICS[name].scores}
    return own | {pairs.LOSS.name: pairs.LOSS.unit}


def wanted_tables(asked: Set[str]) -> list[str]:
    """Names of the tables of a run in which these metrics and features were asked for."""
    return [table.name for family in FAMILIES for table, needs in family.tables.items() if is_wanted(needs, asked)]


def wanted_figures(asked: Set[str], per: Per | None = None) -> list[str]:
    """Names of the kinds of figures of such a run: all, or those drawn once for each `per`."""
    return [name for name, f in FIGURES.items() if is_wanted(f.needs, asked) and per in (None, f.per)]


def wanted_lenses(asked: Set[str]) -> list[str]:
    """Paths, with {model} and {condition}, of the lenses of such a run."""
    return [f.lens_files for f in FAMILIES if f.lens_files and is_wanted(f.lens_needs, asked)]


def figure_module(name: str) -> str:
    """Dotted name of the module that draws a kind of figure."""
    (module,) = (family.module_of(f) for family in FAMILIES for f in family.figures if f.name == name)
    return module


# Families whose findings open the report, in the order of their sentences.
WITH_FINDINGS = (PAIRS, AGREEMENT, INFORMATION, THERMODYNAMICS, COMPARISON, RESIDUAL_GAIN, KERNEL)


def findings_modules(tables: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Dotted names of the modules that make findings of a run with these tables -> the tables that each reads."""
    made = set(tables)
    return {f.findings_module: f.findings_tables for f in WITH_FINDINGS if made.issuperset(f.findings_tables)}


FROM_METRIC: dict[str, str] = {table: metric for family in FAMILIES for table, metric in family.from_metric.items()}


def table_module(name: str) -> str:
    """Dotted name of the module that makes a table of FROM_METRIC."""
    (module,) = (family.table_module(name) for family in FAMILIES if name in family.from_metric)
    return module


def _layer_quantities() -> tuple[Quantity, ...]:
    return tuple(replace(q, metric=metric.name) for metric in METRICS.values() for q in metric.layer_quantities)


def _score_quantities() -> tuple[Quantity, ...]:
    """Names and ranges in table `scores`; those of quantities also exist by kind, as temperature_query."""
    names = [
        Quantity(
            name, low=0 if metric.smaller_is_better else -math.inf, metric=metric.name, unit=metric.units.get(name, "")
        )
        for metric in METRICS.values()
        for name in metric.scores
    ]
    by_kind = [
        Quantity(f"{name}_", metric=metric.name, unit=metric.units.get(name, ""), is_prefix=True)
        for metric in METRICS.values()
        if metric.score == Score.QUANTITIES
        for name in metric.scores
    ]
    return (*names, *by_kind)


def _whole(table: Table) -> Table:
    """A shared table with what the metrics of all families put into it; any other as it is."""
    if table is shared.LAYERS:
        quantities = _layer_quantities()
        return replace(table, quantities=quantities, filled_by=tuple(dict.fromkeys(q.metric for q in quantities)))
    if table is shared.PROMPTS:
        return replace(table, filled_by=[metric.name for metric in METRICS.values() if metric.score == Score.PROMPT])
    if table is shared.SCORES:
        return replace(table, quantities=_score_quantities())
    if table is pairs.MODEL_PAIRS:
        of_prompts_or_sets = [q for q in _score_quantities() if METRICS[q.metric].score in PAIRED]
        return replace(table, quantities=[*of_prompts_or_sets, pairs.LOSS])
    if table is shared.SCORES_NORMALIZED:
        compared = [metric for metric in METRICS.values() if metric.smaller_is_better]
        own = [Quantity(m.name, metric=m.name, unit=m.units.get(m.name, "")) for m in compared]
        return replace(table, quantities=own)
    return table


TABLES: dict[str, Table] = {table.name: _whole(table) for family in FAMILIES for table in family.tables}
