"""Made-up tables and figures of a report."""

import pytest
from report_pages import KINDS, PNG, SETS
from synthetic_tables import make_tables


@pytest.fixture(scope="module")
def tables():
    return make_tables(4, n_prompts=5, n_layers=6, prompt_sets=SETS)


@pytest.fixture
def figures(tmp_path):
    paths = {kind: {name: tmp_path / f"{kind}-{name}.png" for name in SETS} for kind in KINDS}
    paths["correlation_matrix"] = {"": tmp_path / "correlation_matrix.png"}
    for by_set in paths.values():
        for path in by_set.values():
            path.write_bytes(PNG)
    return paths
