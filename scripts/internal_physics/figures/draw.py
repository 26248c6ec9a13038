"""Draw one kind of figure and save it under the names that a rule gives.

A figure module has two functions. `draw` is pure: tables in, a matplotlib figure out. `figures` reads what the kind
needs and yields every figure of it with the name of its prompt set or model ("" for one figure of the whole run):

    def figures(inputs, *, models, prompt_sets):
        return by_set(draw, TableBySet(inputs["layers"], LAYERS), models, prompt_sets)
"""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from internal_physics.figures.style import save

Figures = Iterator[tuple[str, Figure]]
Inputs = Mapping[str, Any]  # name -> path, or list of paths


def draw_figures(module: str, inputs: Inputs, outputs: Iterable[str], options: Mapping[str, Any]) -> None:
    """Draw and save every figure of a kind.

    Args:
        module: dotted name of the figure module.
        inputs: a rule's named inputs.
        outputs: files "{kind}-{name}.{format}", or "{kind}.{format}" for one figure of the run.
        options: keyword arguments of the module's `figures`.

    Raises:
        ValueError: for a figure without outputs.
    """
    outputs = list(outputs)
    for name, figure in importlib.import_module(module).figures(inputs, **options):
        save(figure, outputs_named(outputs, name))


def outputs_named(outputs: Iterable[str], name: str) -> list[str]:
    """The paths "{kind}-{name}.{format}"; the name may contain hyphens, the kind has none.

    Raises:
        ValueError: if there is none.
    """
    paths = [path for path in outputs if Path(path).stem.partition("-")[2] == name]
    if not paths:
        raise ValueError(f"no output is named after {name!r}")
    return paths
