"""The first screen of the report: what the run found, and one figure beside it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Findings = Sequence[Mapping[str, Any]]
Sections = Sequence[Mapping[str, Any]]


def linked(findings: Findings, sections: Sections) -> list[dict[str, Any]]:
    """Sentences, each with the number of the figure that shows it; None where this run has no such figure."""
    figures = _by_file(sections)
    return [
        {"sentence": finding["sentence"], "number": figures.get(finding["figure"], {}).get("number")}
        for finding in findings
    ]


def hero(findings: Findings, sections: Sections) -> Mapping[str, Any] | None:
    """The figure of the first finding that this run has a figure of; None if it has none."""
    figures = _by_file(sections)
    return next((figures[finding["figure"]] for finding in findings if finding["figure"] in figures), None)


def _by_file(sections: Sections) -> dict[str, Mapping[str, Any]]:
    return {figure["file"]: figure for section in sections for figure in section["figures"]}
