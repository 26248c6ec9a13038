"""Print which modules each script's own imports load, as JSON: one forked interpreter per script.

Packages that many scripts load are there before the fork, which saves their second in each. Torch is not.
"""

import ast
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


def modules_of(script: Path) -> list[str]:
    """Modules loaded by the import statements at the top of a script, beyond those that were there."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    code = compile(ast.Module(imports, type_ignores=[]), str(script), "exec")
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        before = set(sys.modules)
        exec(code, {})
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
    scripts = sorted(Path(sys.argv[1]).glob("*.py"))
    sys.path.insert(0, sys.argv[1])
    sys.stdout.write(json.dumps({script.stem: modules_of(script) for script in scripts}))
