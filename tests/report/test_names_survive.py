"""A model, set or prompt named nan, null, TRUE, 007 or 1e3, from the tables through figures to the report."""

from pathlib import Path

import pandas as pd
import pytest
from internal_physics.families.registry import FAMILIES, FIGURES, FOLDER, TABLES, figure_module
from internal_physics.figures.draw import draw_figures
from internal_physics.report.build import render_report
from internal_physics.report.texts import gather_texts
from internal_physics.tables.conform import conform
from internal_physics.tables.read import read_table, read_table_csv
from internal_physics.tables.write import write_table
from synthetic_tables import MODELS, make_tables

TEMPLATE_DIR = Path(__file__).parents[2] / "report"
NAMES = dict(zip(MODELS, ("nan", "null", "007", "1e3"), strict=False))
SETS = ("TRUE", "NA")
ODD = ("None", "1.10", "inf", "false", "1E-3")
PROMPTS = {f"{name}_{i:02d}": new for name in SETS for i, new in enumerate(ODD, 1)}
KINDS = ("radar", "layer_profiles", "isf_spectrum")


@pytest.fixture(scope="module")
def tables():
    """Every table in which a model or a prompt has such a name."""
    made = make_tables(4, n_prompts=5, n_layers=4, prompt_sets=SETS, flawed=False)
    return {name: table.replace(NAMES | PROMPTS) for name, table in made.items()}


@pytest.fixture(scope="module")
def folder(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    for name, table in tables.items():
        write_table(table, TABLES[name], csv=folder / f"{name}.csv", parquet=folder / f"{name}.parquet")
    return folder


def test_csv_and_parquet_give_every_name_back(tables, folder):
    for name, table in tables.items():
        given = conform(table, TABLES[name])
        pd.testing.assert_frame_equal(read_table(folder / f"{name}.parquet", TABLES[name]), given)
        pd.testing.assert_frame_equal(read_table_csv(folder / f"{name}.csv", TABLES[name]), given)
    models = read_table_csv(folder / "scores.csv", TABLES["scores"])["model"]
    assert set(models) == set(NAMES.values())
    assert set(read_table_csv(folder / "gains.csv", TABLES["gains"])["prompt"]) == set(PROMPTS.values())


def test_figures_and_report_show_every_name(folder):
    figures = {kind: {name: folder / f"{kind}-{name}.png" for name in SETS} for kind in KINDS}
    for kind, paths in figures.items():
        inputs = {name: folder / f"{name}.parquet" for name in FIGURES[kind].tables}
        of_run = {"models": list(NAMES.values()), "prompt_sets": list(SETS), "statistics": {"confidence_level": 0.95}}
        options = {name: of_run[name] for name in FIGURES[kind].params}
        draw_figures(figure_module(kind), inputs, map(str, paths.values()), options)
    read = {path.stem: read_table(path, TABLES[path.stem]) for path in folder.glob("*.parquet")}
    run = {
        "models": {name: {"source": "path:m", "dtype": "float32", "quantization": "none"} for name in NAMES.values()},
        "prompt_sets": {name: {} for name in SETS},
        "seed": 0,
        "statistics": {"confidence_level": 0.95},
        "provenance": {"created": "", "git_revision": "", "python": "", "machine": {}, "versions": {}},
    }
    texts = gather_texts(FAMILIES, FOLDER)
    html = render_report(tables=read, figures=figures, run=run, texts=texts, template_dir=TEMPLATE_DIR)
    assert html.count("data:image/png;base64,") == len(KINDS) * len(SETS)
    for name in (*NAMES.values(), *SETS):
        assert f">{name}<" in html
