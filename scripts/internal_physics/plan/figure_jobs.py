"""Figure jobs: one for the figures of each family, because starting a job takes as long as drawing a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from internal_physics.families import registry
from internal_physics.families.family import Family, Figure
from internal_physics.plan.run_plan import RunPlan


@dataclass(frozen=True)
class FigureJob:
    """The job that draws all figures of one family.

    Attributes:
        name: of its rule.
        family: its name.
        inputs: what any of its figures reads, by name: a path, or one for each model.
        outputs: all files.
        drawings: for each kind of figure, the arguments of `figures.draw.draw_figures` without the inputs.
        mem_mb: what the most demanding figure needs: they are drawn one after the other.
    """

    name: str
    family: str
    inputs: dict[str, str | list[str]]
    outputs: list[str]
    drawings: list[dict[str, Any]]
    mem_mb: int

    @property
    def modules(self) -> list[str]:
        """Dotted names of the modules that draw."""
        return [drawing["module"] for drawing in self.drawings]


def figure_jobs(plan: RunPlan) -> list[FigureJob]:
    """The jobs of all families with at least one figure in this run, in the order of the report."""
    wanted = set(plan.figures())
    chosen = [(family, [f for f in family.figures if f.name in wanted]) for family in registry.FAMILIES]
    return [_job(plan, family, figures) for family, figures in chosen if figures]


def _job(plan: RunPlan, family: Family, figures: Sequence[Figure]) -> FigureJob:
    return FigureJob(
        name=f"figures_{family.name}",
        family=family.name,
        inputs={name: path for figure in figures for name, path in plan.figure_inputs(figure.name).items()},
        outputs=plan.figure_files(*(figure.name for figure in figures)),
        drawings=[_drawing(plan, figure.name) for figure in figures],
        mem_mb=max(figure.mem_mb for figure in figures),
    )


def _drawing(plan: RunPlan, kind: str) -> dict[str, Any]:
    return {
        "module": registry.figure_module(kind),
        "outputs": plan.figure_files(kind),
        "options": plan.figure_options(kind),
    }
