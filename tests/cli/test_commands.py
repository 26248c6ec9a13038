"""The command line as a whole: it starts without heavy imports, and refuses what it does not know."""

import os
import subprocess
import sys
from pathlib import Path

import internal_physics as ip
import pytest
from hand_traces import make_trace, with_prediction
from internal_physics.cli import commands
from internal_physics.records.store import write_trace

SCRIPTS = Path(commands.__file__).parents[2]
HEAVY = ("torch", "transformers", "pandas", "scipy", "matplotlib", "snakemake")
LIGHT = [["--help"], ["look", "--help"], ["compare", "RECORD.parquet", "RECORD.parquet"], ["show", "RECORD.parquet"]]
LIGHT += [["show", "x.csv"], ["new", "lab"], ["run", "--help"]]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_what_needs_no_model_imports_nothing_heavy(arguments, tmp_path):
    write_trace(with_prediction(make_trace()), tmp_path / "RECORD.parquet")
    (tmp_path / "x.csv").write_text("a,status\n1,ok\n", encoding="utf-8")
    code = (
        "import sys\nfrom internal_physics.cli.commands import main\n"
        f"try:\n    status = main({arguments!r})\nexcept SystemExit as end:\n    status = end.code\n"
        f"print(status, sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_the_version_is_that_of_the_library(capsys):
    with pytest.raises(SystemExit) as end:
        commands.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"internal-physics {ip.__version__}\n"


def test_an_unknown_command_or_option_is_refused_by_the_parser(capsys):
    for arguments in (["lok"], ["look", "model", "text", "--quant", "nf4"], []):
        with pytest.raises(SystemExit) as end:
            commands.main(arguments)
        assert end.value.code == commands.USER_ERROR
    assert "required: COMMAND" in capsys.readouterr().err
