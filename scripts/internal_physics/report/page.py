"""Templates of the report's pages: strict about names, and every text escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from internal_physics.ground.words import plural
from internal_physics.report.texts import coded


def page_of(folder: str | Path, template: str, context: Mapping[str, Any]) -> str:
    """Fill a template.

    Args:
        folder: of the templates.
        template: name of the file.
        context: what it names.

    Raises:
        jinja2.UndefinedError: the template names something that the context lacks.
    """
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["plural"] = plural
    environment.filters["coded"] = coded
    return environment.get_template(template).render(context)
