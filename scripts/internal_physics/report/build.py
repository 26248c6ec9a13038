"""The report of a run: one HTML file that holds everything, opens offline and prints.

What it says is in the families' words.yaml (see report.texts); how it looks, in the template and its style sheet.
"""

import importlib
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from internal_physics.families.family import Per
from internal_physics.families.pairs.apart import Apart, significance_of
from internal_physics.families.pairs.tables import MODEL_PAIRS
from internal_physics.models.options import PRECISION
from internal_physics.report.first_screen import hero, linked
from internal_physics.report.images import data_uris, width_inches
from internal_physics.report.page import page_of
from internal_physics.report.parts import Tables, describe_conditions, describe_table, flagged_rows, span
from internal_physics.report.summary import summarize
from internal_physics.report.texts import Texts
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.preview import Preview

TEMPLATE = "report.html.j2"
OF_RUN = ""  # in place of a name: a figure of the whole run
NEEDED = ("scores", "scores_normalized")
WHOLE = (*NEEDED, MODEL_PAIRS.name)  # of which the report reads every row
REPEATED = ("shows", "reading", "computed")  # parts of a caption that are not repeated
# Only these options of a model are shown: other entries of a config stay out of a file that is passed on.
MODEL_OPTIONS = ("stored_as", *PRECISION, "task", "source", "adapter", "file", "revision", "sha256")
NO_CAPTION = {
    "title": "{{ kind }}{% if name %} of {{ name }}{% endif %}",
    "shows": "No caption is written for this kind of figure.",
}


def render_report(
    *,
    tables: Tables,
    figures: Mapping[str, Mapping[str, Path]],
    run: Mapping[str, Any],
    texts: Texts,
    template_dir: str | Path,
    findings: Sequence[Mapping[str, Any]] = (),
    lab: Mapping[str, Any] | None = None,
    threads: int = 1,
) -> str:
    """Render the report.

    Args:
        tables: the run's tables by name, those of WHOLE and of texts.whole as they are, any other as a preview if it
            is large. Tables and figures that no text describes are shown at the end, under their names.
        figures: kind of figure -> name of its prompt set or model ("" for a figure of the run) -> its PNG file.
        run: the resolved run: "models" and "prompt_sets" (names -> options, or a list of names), "seed", and
            "provenance" with "versions", "git_revision", "machine", "created" and, where it is known, "models" (name ->
            the number formats in which it ran).
        texts: what it says.
        template_dir: folder with report.html.j2 and report.css.
        findings: sentences that it opens with, each {"sentence", "figure", …} as families.findings makes them.
        lab: the section of `report.lab.lab_section`; None for a run without a lab.
        threads: how many figures are reduced at a time.

    Returns:
        HTML with styles and figures inside; it loads no other file.

    Raises:
        ValueError: a needed table is missing.
        FileNotFoundError: a figure is missing.
        jinja2.UndefinedError: a caption names an unknown placeholder.
    """
    if missing := [name for name in NEEDED if name not in tables]:
        raise ValueError(f"the report needs the tables {missing}; it was given {sorted(tables)}")
    models = _in_order(_names(run["models"]), Preview.of(tables["scores"]).head["model"])
    # Of the normalized scores: a temperature has no best.
    metrics = _in_order(texts.metrics, Preview.of(tables["scores_normalized"]).head["metric"])
    facts = {"n_models": len(models), "confidence_percent": f"{100 * _confidence_level(run):g}"}
    apart = _apart(tables, run)
    names = [OF_RUN, *models, *_names(run["prompt_sets"])]
    flagged, n_more_flagged = flagged_rows(tables)
    shown_open = {finding["figure"] for finding in findings}
    uris = data_uris((path for of_kind in figures.values() for path in of_kind.values()), threads)
    sections = _sections(texts, tables, figures, names, facts, shown_open=shown_open, uris=uris)
    page = {
        **facts,
        "findings": linked(findings, sections),
        "hero": hero(findings, sections),
        "lab": lab,
        "models": [{"name": name, "options": _model_options(run, name)} for name in models],
        "n_prompts": _count_prompts(tables),
        "metrics": metrics,
        "metric_texts": texts.metrics,
        "summary": summarize(tables["scores"], tables["scores_normalized"], apart, models, metrics),
        "significance": f"{apart.significance:g}",
        "score_scale": run.get("score_scale"),
        "targets": _targets(tables["scores"]),
        "sections": _with_conditions(sections, tables),
        "tables": _tables(tables, texts.tables),
        "flagged": flagged,
        "n_more_flagged": n_more_flagged,
        **_provenance(run),
    }
    return page_of(template_dir, TEMPLATE, page)


def _targets(scores: pd.DataFrame) -> list[str]:
    """What the gradients of the run are of, in words, where that is not the loss."""
    return [target.replace("_", "-") for target in scores["target"].unique() if target != "loss"]


def figure_paths(paths: Iterable[str | Path]) -> dict[str, dict[str, Path]]:
    """Sort PNG files by name: "{kind}-{prompt_set}.png" or "{kind}-{model}.png", or "{kind}.png" for all together.

    Returns:
        kind -> prompt set or model, or "" -> file, for `render_report`; both in the order of the paths.
    """
    figures: dict[str, dict[str, Path]] = {}
    for path in map(Path, paths):
        kind, _, name = path.stem.partition("-")
        figures.setdefault(kind, {})[name] = path
    return figures


def with_something_to_show(
    figures: Mapping[str, Mapping[str, Path]],
    tables: Mapping[str, pd.DataFrame | Preview],
    only_with: Mapping[str, str],
) -> dict[str, Mapping[str, Path]]:
    """The figures without the kinds that are about a table without rows.

    Args:
        figures: as `figure_paths` gives them.
        tables: name → table or its preview.
        only_with: kind of figure → the table that must have rows.
    """
    empty = {name for name, table in tables.items() if Preview.of(table).n_rows == 0}
    return {kind: of_kind for kind, of_kind in figures.items() if only_with.get(kind) not in empty}


def _sections(
    texts: Texts,
    tables: Tables,
    figures: Mapping[str, Mapping[str, Path]],
    names: Sequence[str],
    facts: Mapping[str, Any],
    *,
    shown_open: Container[str],
    uris: Mapping[Path, str],
) -> list[dict[str, Any]]:
    """The sections with their figures, numbered through; kinds that no section lists get a section of their own.

    Figures whose file names are in `shown_open` are open and come first in their section. Only the first figure of a
    kind says how it is read where that is the same for all.
    """
    known = [kind for section in texts.sections for kind in section["figures"]]
    listed = list(texts.sections)
    if others := [kind for kind in figures if kind not in known]:
        intro = "Made by this run, but named by no section of the report."
        other = {"id": "other-figures", "title": "Other figures", "intro": intro, "notes": [], "metrics": []}
        listed.append(other | {"figures": others})
    sections, next_number = [], 1
    for section in listed:
        drawn = [(kind, name) for kind in section["figures"] for name in _in_order(names, figures.get(kind, {}))]
        shown: list[dict[str, Any]] = []
        first: dict[str, dict[str, str]] = {}  # kind -> caption of its first figure
        for kind, name in sorted(drawn, key=lambda figure: _file(*figure) not in shown_open):
            caption = _caption(texts, tables, kind, name, facts)
            explained = first.setdefault(kind, caption)
            repeated = {part for part in REPEATED if caption.get(part) == explained.get(part)}
            figure = {
                "number": next_number,
                "file": _file(kind, name),
                "caption": caption,
                "said": set() if explained is caption else repeated,
                "is_open": _file(kind, name) in shown_open,
            }
            path = figures[kind][name]
            shown.append({**figure, "uri": uris[path], "inches": width_inches(path)})
            next_number += 1
        if section.get("optional") and not shown:
            continue
        absent = [kind for kind in section["figures"] if not figures.get(kind)]
        sections.append({**section, "figures": shown, "absent": absent})
    return sections


def _file(kind: str, name: str) -> str:
    """Name of a figure's file without its ending: "radar-factual", or "radar" for a figure of the run."""
    return f"{kind}-{name}" if name else kind


def _with_conditions(sections: list[dict[str, Any]], tables: Tables) -> list[dict[str, Any]]:
    """Sections with `conditions: true` say in their notes what each condition of the run does."""
    notes = describe_conditions(Preview.of(tables["conditions"]).head) if "conditions" in tables else []
    return [{**s, "notes": [*s["notes"], *notes]} if s.get("conditions") else s for s in sections]


def _tables(tables: Tables, texts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        describe_table(name, tables[name], texts.get(name, {}))
        for name in _in_order(texts, tables)
        if Preview.of(tables[name]).n_rows
    ]


def _caption(texts: Texts, tables: Tables, kind: str, name: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """The caption of one figure with its placeholders filled: plain text, which the page escapes."""
    context = {**facts, "kind": kind, "name": name, **_subject(texts.per.get(kind), tables, name)}
    if texts.facts.get(kind):
        context |= importlib.import_module(texts.facts[kind]).caption_facts(tables, name)
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    parts = texts.captions.get(kind, NO_CAPTION)
    return {part: environment.from_string(text).render(context) for part, text in parts.items()}


def _subject(per: Per | None, tables: Tables, name: str) -> dict[str, str]:
    """Name and number of prompts of what a figure is drawn for: a prompt set, a model, or the whole run."""
    if per in (Per.PROMPT_SET, Per.STEERED_SET, Per.COMPARED_SET):
        scores = Preview.of(tables["scores"]).head
        n_prompts = span(scores.loc[scores["prompt_set"] == name, "n_prompts"])
        return {"prompt_set": name, "n_prompts": n_prompts}
    everything = {"n_prompts": str(_count_prompts(tables))}
    return everything | ({"model": name} if per == Per.MODEL else {})


def _count_prompts(tables: Tables) -> int:
    """Different prompts of all sets; taken from the scores where there is no table of prompts."""
    if "prompts" in tables:
        return Preview.of(tables["prompts"]).n_prompts
    return int(Preview.of(tables["scores"]).head.groupby("prompt_set")["n_prompts"].max().sum())


def _provenance(run: Mapping[str, Any]) -> dict[str, Any]:
    made_by = run["provenance"]
    facts = {key: _flat(value) for key, value in made_by.items() if key not in ("versions", "models")}
    return {
        "created": _moment(str(made_by["created"])),
        "revision": _short(str(made_by["git_revision"])),
        "prompt_sets": _names(run["prompt_sets"]),
        "provenance": {"seed": str(run["seed"]), **facts},
        "versions": dict(made_by["versions"]),
    }


def _moment(iso: str) -> str:
    """Such as "2026-11-26 07:51 UTC" of an ISO time in UTC; any other text as it is."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:[\d.]+)?(\+00:00|Z)", iso)
    return f"{found[1]} {found[2]} UTC" if found else iso


def _short(revision: str) -> str:
    """The first 12 characters of a git revision, and what is added to it, such as "+changes"."""
    commit, mark, added = revision.partition("+")
    return commit[:12] + mark + added


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    return str(value)


def _model_options(run: Mapping[str, Any], name: str) -> dict[str, str]:
    """Options of a model in the config, and the number formats in which it ran by its records."""
    models = run["models"]
    options = dict(models.get(name, {})) if isinstance(models, Mapping) else {}
    options |= run["provenance"].get("models", {}).get(name, {})
    return {key: str(options[key]) for key in MODEL_OPTIONS if options.get(key) is not None}


def _confidence_level(run: Mapping[str, Any]) -> float:
    return run.get("statistics", {}).get("confidence_level", CONFIDENCE_LEVEL)


def _apart(tables: Tables, run: Mapping[str, Any]) -> Apart:
    """Which models are told apart; none in a run that compares none."""
    no_pairs = pd.DataFrame(columns=list(MODEL_PAIRS.columns))
    return Apart(tables.get(MODEL_PAIRS.name, no_pairs), significance_of(_confidence_level(run)))


def _names(named: Any) -> list[str]:
    """Names of a mapping, or of a list of names."""
    return [str(name) for name in named]


def _in_order(order: Iterable[str], present: Iterable[str]) -> list[str]:
    """The present names: first those of the order, in it, then the others as they come."""
    present = list(dict.fromkeys(present))
    first = [name for name in order if name in present]
    return first + [name for name in present if name not in first]
