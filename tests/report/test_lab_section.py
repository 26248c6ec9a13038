"""The lab in the report: every experiment with arms appears by its own words, without being named here."""

import dataclasses
import math
from pathlib import Path

import pandas as pd
import pytest
from internal_physics.lab.experiments.experiment import Gate
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.lab.gates import gate_row
from internal_physics.report.lab import lab_section, render_lab
from internal_physics.report.lab_texts import LabTexts, gather_lab_texts, lab_words_files
from report_pages import PNG, Page, render, squeeze

TEMPLATES = Path(__file__).parents[2] / "report"
NEW = {"title": "A new one", "figures": ["lab_new"]}
TEXTS = LabTexts(
    {"title": "The lab", "intro": "Made here.", "rule": "Within the bar.", "deviations": ["Small."]},
    {"new": {"question": "Is 1 < 2?", "limits": "Not `all`.", "figures": {"lab_new": {"title": "T", "shows": "S."}}}},
)


@pytest.fixture
def arms():
    fields = {
        "parameters": 10_256,
        "steps": 2500,
        "tokens": 7,
        "data": '{"people": 3}',
        "model": "{}",
        "starts_from": "",
    }
    rows = [{"arm": "a", "seed": seed, "experiment": "new", "loss_nats": 0.25, "seconds": 2.0} for seed in (0, 1)]
    return pd.DataFrame(rows).assign(**fields)


def section(tmp_path, arms, *gates):
    figure = tmp_path / "lab_new.png"
    figure.write_bytes(PNG)
    return lab_section(
        gates=pd.DataFrame([gate_row(gate) for gate in gates]),
        arms=arms,
        figures=[figure],
        experiments={"new": NEW},
        texts=TEXTS,
    )


def test_an_experiment_appears_by_its_description_and_its_words(tmp_path, arms):
    gates = [
        Gate("new", "More <is> better", {0: 0.9, 1: 0.7}, low=0.6, deviation="small models"),
        Gate("new", "Less is better", {0: 0.9, 1: 0.1}, high=0.2, deviation="small models"),
        Gate("new", "Nothing was done", {0: math.nan}, unit="bits", is_hard=False),
    ]
    made = section(tmp_path, arms, *gates)
    (new,) = made["experiments"]
    assert [claim["verdict"] for claim in new["claims"]] == ["met", "missed", "not measured"]
    assert [claim["note"] for claim in new["claims"]] == [1, 1, None]
    assert new["claims"][0]["value"] == "0.8"
    assert new["claims"][0]["spread"] == "0.7 to 0.9, 2 seeds"
    assert new["trainings"][0] | {"seeds": "0, 1", "parameters": "10,256"} == new["trainings"][0]
    html = render_lab(made, TEMPLATES)
    for text in ("A new one", "Is 1 &lt; 2?", "More &lt;is&gt; better", "Not <code>all</code>.", "Figure L1. T."):
        assert text in html, text
    assert "1 of 2 claims that must hold at this scale are met." in html


def test_the_report_of_a_run_has_the_section_and_every_link_its_target(tmp_path, arms, tables, figures):
    made = section(tmp_path, arms, Gate("new", "More is better", {0: 0.9}, low=0.6, deviation="small models"))
    cell = {"between": "100 to 200", "from_to": "1 to 2", "when": "with"}
    row = {"quantity": "EC", "texts": "known texts", "cells": [cell], "n_with": 1, "n": 1, "is_learned": False}
    figure = made["experiments"][0]["figures"][0] | {"number": "LP"}
    physics = {"trainings": ["t"], "rows": [row], "caution": "A hint.", "figure": figure}
    page = Page(render(tables, figures, lab=made | {"physics": physics}))
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "1 of 1 claims that must hold at this scale are met." in page.text
    assert "100 to 200 with" in squeeze(page.text)
    assert "lab" not in Page(render(tables, figures)).ids


def test_a_figure_without_a_caption_says_so(tmp_path, arms):
    bare = dataclasses.replace(TEXTS, experiments={})
    figure = tmp_path / "lab_new.png"
    figure.write_bytes(PNG)
    gates = pd.DataFrame([gate_row(Gate("other", "c", {0: 1.0}))])
    made = lab_section(gates=gates, arms=arms, figures=[figure], experiments={"new": NEW}, texts=bare)
    assert "No caption is written for this figure." in render_lab(made, TEMPLATES)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_what_it_asks_and_explains_its_figures(name):
    texts = gather_lab_texts(lab_words_files(EXPERIMENTS))
    words = texts.experiments[name]
    assert words["question"]
    assert words["limits"]
    captions = words.get("figures", {})
    assert set(captions) == {figure.name for figure in EXPERIMENTS[name].figures}
    assert all({"title", "shows", "reading"} <= set(caption) for caption in captions.values())
