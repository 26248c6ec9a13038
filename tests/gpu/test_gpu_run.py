"""A whole run of config/tiny.yaml whose models are on the GPU, against one whose models are on the CPU."""

import numpy as np
import pandas as pd
import pytest
from tiny_models import save_tiny_models
from workflow_runs import CONFIG, MODELS, SETS, TABLES, Tree, copy_working_tree

# Seen: see BATCHED. A score divides by small differences of such numbers.
SCORE = 1e-3
# The end of a BCa interval over three or four prompts: rounding alone decides on which side of the estimate equal
# resamples lie. Seen: 0.08.
INTERVAL = 0.3
STATISTICS = ("scores", "prompts", "layers", "spectra", "thermodynamics", "information")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Tree]:
    made = {}
    for device in ("cuda", "cpu"):
        tree = copy_working_tree(tmp_path_factory.mktemp(device) / "tree")
        save_tiny_models(tree.path("results/tiny_models"))
        for model in ("llama", "gpt2"):
            source = f'source: "path:results/tiny_models/{model}"'
            tree.edit(CONFIG, source, f"{source}, device: {device}")
        tree.run(cores=8)
        made[device] = tree
    return made


def test_the_models_ran_where_the_config_says(runs):
    for device, tree in runs.items():
        logs = [path.read_text() for path in tree.path("results/logs/record").rglob("*.log")]
        assert len(logs) == len(MODELS) * len(SETS)
        assert all(f"on {device}" in log for log in logs)


@pytest.mark.parametrize("name", [name for name in STATISTICS if name in TABLES])
def test_tables_hold_the_same_numbers(runs, name):
    of_gpu, of_cpu = (pd.read_parquet(tree.path(f"results/tables/{name}.parquet")) for tree in runs.values())
    assert list(of_gpu.columns) == list(of_cpu.columns) and len(of_gpu) == len(of_cpu) > 0
    for column in of_cpu.columns:
        found, expected = of_gpu[column], of_cpu[column]
        if expected.dtype.kind == "f":
            size = np.nanmax(np.abs(expected)) if expected.notna().any() else 0.0
            near = INTERVAL if column.startswith("ci_") else SCORE
            np.testing.assert_allclose(found, expected, rtol=near, atol=near * 1e-2 * size, err_msg=f"{name}.{column}")
        elif expected.map(lambda value: isinstance(value, str)).all():
            assert (found == expected).mean() > 0.99, column


def test_every_figure_and_the_report_are_there(runs):
    files = {
        device: {path.name for path in tree.path("results/figures").rglob("*.png")} for device, tree in runs.items()
    }
    assert files["cuda"] == files["cpu"] != set()
    assert all(tree.path("results/report.html").stat().st_size > 100_000 for tree in runs.values())
