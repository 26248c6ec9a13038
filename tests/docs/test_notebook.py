"""The example notebook runs from top to bottom with a small model, and is kept without outputs."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from tiny_models import save_snapshot

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "three_questions.ipynb"


def code_cells():
    return [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]


def test_it_is_kept_without_outputs():
    assert [cell.outputs for cell in code_cells() if cell.outputs] == []
    assert [cell.execution_count for cell in code_cells() if cell.execution_count] == []


def test_it_runs_from_top_to_bottom(tmp_path):
    model = save_snapshot(tmp_path / "llama", "llama_tied")
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(cell.source for cell in code_cells()), encoding="utf-8")
    environment = {**os.environ, "MODEL": str(model), "PYTHONPATH": str(ROOT / "scripts"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
