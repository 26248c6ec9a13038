"""Print which modules each job's imports load, as JSON: one forked interpreter per job.

Packages that many scripts load are imported before the fork, which saves a second for each job. Torch is not.
"""

import ast
import importlib
import json
import os
import sys
from pathlib import Path

import matplotlib.figure
import pandas
import pandera.pandas
import pyarrow.parquet
import scipy.optimize
import scipy.stats

SHARED = (matplotlib.figure, pandas, pandera.pandas, pyarrow.parquet, scipy.optimize, scipy.stats)


def modules_of(script: Path, dispatched: list[str]) -> list[str]:
    """Modules loaded by a script's imports and by those it loads by name, beyond those already loaded."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    code = compile(ast.Module(imports, type_ignores=[]), str(script), "exec")
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        before = set(sys.modules)
        exec(code, {})
        for module in dispatched:
            importlib.import_module(module)
        os.write(writer, json.dumps(sorted(set(sys.modules) - before)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    _, status = os.wait()
    if status:
        raise SystemExit(f"the imports of {script} fail")
    return json.loads(text)


if __name__ == "__main__":
    folder, jobs = Path(sys.argv[1]), json.loads(sys.argv[2])
    sys.path.insert(0, str(folder))
    found = {label: modules_of(folder / f"{script}.py", named) for label, (script, *named) in jobs.items()}
    sys.stdout.write(json.dumps(found))
