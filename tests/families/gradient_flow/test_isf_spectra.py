"""Table isf_spectra: made of the metric's rows, one row per rank."""

import math

import numpy as np
import pandas as pd
from hand_traces import make_trace
from internal_physics.families.gradient_flow import isf_spectra
from internal_physics.families.gradient_flow.isf import field_structure, gradient_gram
from internal_physics.families.gradient_flow.isf import rows as isf_rows
from internal_physics.tables.conform import conform
from internal_physics.tables.from_metric import write_from_metric
from internal_physics.tables.measure import COLUMNS, per_set_table
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import write_rows


def metric_rows(eigenvalues, *, prompt_set="s", status="ok"):
    keys = ("m", "baseline", prompt_set, None, None, None, None)
    found = [(*keys, None, "isf", 0.2, status, None), (*keys, None, "isf_exponent", 1.0, status, None)]
    for rank, eigenvalue in enumerate(eigenvalues, start=1):
        found += [(*keys, rank, name, value, status, None) for name, value in law(eigenvalue).items()]
    types = {"layer": "Int64", "rank": "Int64", "value": float}
    return pd.DataFrame(found, columns=list(COLUMNS)).astype(types)


def law(eigenvalue):
    return {"eigenvalue": eigenvalue, "fitted": eigenvalue + 0.5}


def table(rows):
    return conform(isf_spectra.rows(rows), isf_spectra.TABLE)


def test_eigenvalue_and_law_by_rank():
    found = table(metric_rows([3.0, 2.0, 1.0]))
    assert found["rank"].tolist() == [1, 2, 3]
    assert found.eigenvalue.tolist() == [3.0, 2.0, 1.0]
    assert found.fitted.tolist() == [3.5, 2.5, 1.5]


def test_a_flagged_spectrum_keeps_its_rows():
    found = table(metric_rows([math.nan] * 3, status="not finite gradient"))
    assert len(found) == 3
    assert set(found.status) == {"not finite gradient"}


def test_prompt_sets_keep_their_order():
    found = table(pd.concat([metric_rows([2.0, 1.0], prompt_set=name) for name in "zab"]))
    assert found.prompt_set.tolist() == [*"zzaabb"]


def test_the_whole_way_from_traces_to_the_file(tmp_path):
    traces = [make_trace(f"p{i}", seed=i) for i in range(4)]
    write_rows(per_set_table(traces, isf_rows), tmp_path / "baseline.parquet")
    outputs = {f"isf_spectra_{kind}": tmp_path / f"t.{kind}" for kind in ("csv", "parquet")}
    write_from_metric("internal_physics.families.gradient_flow.isf_spectra", [tmp_path / "baseline.parquet"], outputs)
    found = read_table(tmp_path / "t.parquet", isf_spectra.TABLE)
    np.testing.assert_array_equal(found.eigenvalue, field_structure(gradient_gram(traces)).eigenvalues)
