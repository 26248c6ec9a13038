"""The page: template, style, scripts and data in one file that loads nothing else."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from internal_physics.figures.style import MODEL_COLORS

FOLDER = Path(__file__).parent
TEMPLATE, STYLE = "explorer.html.j2", "explorer.css"
# In this order: a script uses only what stands before it, until main.js starts the page.
SCRIPTS = (
    *("data.js", "numbers.js", "choices.js", "controls.js", "said.js"),
    *("profiles.js", "steps.js", "radar.js", "scatter.js", "lens.js", "kernel.js"),
    "main.js",
)


def render_page(payload: Mapping[str, Any]) -> str:
    """The explorer as HTML.

    Args:
        payload: as `payload.build_payload` gives it.
    """
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(TEMPLATE).render(
        style=Markup(_read(STYLE)),
        plotly=Markup(get_plotlyjs()),
        scripts=Markup("\n".join(map(_read, SCRIPTS))),
        about_targets=about_targets(payload["targets"]),
        data=Markup(as_json({**payload, "colors": MODEL_COLORS})),
    )


def about_targets(targets: Sequence[str]) -> str:
    """A sentence about what the gradients of a run are of.

    Args:
        targets: of its prompts, as `subjects.target_in_words` says them.
    """
    others = [target for target in targets if target != "loss"]
    if not others:
        return "Gradients are those of the loss."
    what = others[0] if len(others) == 1 else f"{others[0].partition(' of ')[0]} of one token at the read position"
    named = "" if len(others) == 1 else " The token is named beside each prompt."
    return f"Gradients are those of the {what}, not of the loss (record.target).{named}"


def as_json(data: Any) -> str:
    """JSON that may stand in a script element: no text can end it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
