"""Texts of the report: the words of every family, put together in the order of the report."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from internal_physics.families.family import Family, Per
from internal_physics.ground.strict_yaml import load_yaml

WORDS = "words.yaml"


@dataclass(frozen=True)
class Texts:
    """Every text of a report that does not depend on its run.

    Attributes:
        sections: id, title, intro, figures (kinds in their order), metrics (names), and if given notes, optional (left
            out of a report that has none of its figures), conditions (say what each condition of the run does).
        captions: kind of figure -> title, shows, reading, computed, sample; plain text with placeholders.
        metrics: metric -> axis, unit, measures, computed, low, high, in the order of the summary.
        tables: table -> title, about, and rows, how many of its first rows are shown; in the order of the report.
        per: kind of figure -> what it is drawn once for.
        facts: kind of figure -> the module that adds placeholders to its caption, see `Family.caption_facts`.
        whole: tables that these modules need whole.
    """

    sections: tuple[Mapping[str, Any], ...]
    captions: Mapping[str, Mapping[str, str]]
    metrics: Mapping[str, Mapping[str, str]]
    tables: Mapping[str, Mapping[str, Any]]
    per: Mapping[str, Per]
    facts: Mapping[str, str]
    whole: tuple[str, ...]


def words_file(family: Family, folder: Path) -> Path:
    """The words of a family; `folder` is that of all families."""
    return folder / family.name / WORDS


def gather_texts(families: Iterable[Family], folder: Path) -> Texts:
    """Read the words of all families.

    Args:
        families: in the order of the report; a section that says `last: true` comes after the others.
        folder: that of all families.

    Raises:
        FileNotFoundError: for a family without words.
    """
    families = list(families)
    words = {family.name: load_yaml(words_file(family, folder)) for family in families}
    sections = [_section(family, words[family.name]) for family in families if "section" in words[family.name]]
    return Texts(
        sections=tuple(sorted(sections, key=lambda section: section.get("last", False))),
        captions=_joined(words, "figures"),
        metrics=_joined(words, "metrics"),
        tables=_joined(words, "tables"),
        per={figure.name: figure.per for family in families for figure in family.figures},
        facts={figure.name: family.caption_facts for family in families for figure in family.figures},
        whole=tuple(name for family in families for name in family.caption_tables),
    )


def coded(text: str) -> Markup:
    """A text for a page: escaped, and what stands between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _section(family: Family, words: Mapping[str, Any]) -> dict[str, Any]:
    figures = [figure.name for figure in family.figures]
    return {"notes": [], **words["section"], "figures": figures, "metrics": list(words.get("metrics", {}))}


def _joined(words: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, Any]:
    return {name: text for of_family in words.values() for name, text in of_family.get(kind, {}).items()}
