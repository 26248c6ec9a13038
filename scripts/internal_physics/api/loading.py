"""`ip.load`: a model from a folder, the hub or a package, checked before it is used."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from internal_physics.api.checks import OF_SOURCE, in_words, load_options
from internal_physics.config.options.run import SourceOptions
from internal_physics.ground.errors import SourceError, UserError
from internal_physics.models.fetch import fetch, in_place
from internal_physics.models.loading import LoadedModel
from internal_physics.models.options import (
    Attention,
    ComputeDtype,
    Device,
    Dtype,
    LoadOptions,
    Quantization,
    Task,
)
from internal_physics.models.snapshot import MANIFEST
from internal_physics.models.sources import KINDS, parse_source
from internal_physics.recording.record import checked_model


@in_words
def load(
    source: str | Path,
    *,
    dtype: Dtype = LoadOptions.dtype,
    quantization: Quantization = LoadOptions.quantization,
    compute_dtype: ComputeDtype = LoadOptions.compute_dtype,
    device: Device = LoadOptions.device,
    task: Task = LoadOptions.task,
    attention: Attention = LoadOptions.attention,
    trust_remote_code: bool = LoadOptions.trust_remote_code,
    file: str = SourceOptions.file,
    sha256: str = SourceOptions.sha256,
    allow_pickle: bool = SourceOptions.allow_pickle,
    adapter: str | Path = SourceOptions.adapter,
) -> LoadedModel:
    """Load a model, freeze it and check its anatomy.

    A folder of safetensors weights is read where it lies; a package, a .gguf file and pickled weights are unpacked or
    converted in a temporary folder first. Each option is described in docs/options.md, under `models`.

    Args:
        source: a transformers folder, a snapshot of the workflow, a hub id ("org/name", "org/name@revision"),
            or any source of the config ("pypi:…", "hf:…", "path:…").
        dtype: number format of everything that is not quantised: float32, bfloat16, float16 or float64. Usual
            spellings (fp16, torch.float16) are understood.
        quantization: number format of the linear maps: auto, none, int8, nf4 or fp4.
        compute_dtype: number format of products with 4-bit weights: auto, float32, bfloat16 or float16.
        device: auto, cpu, cuda, cuda:N or balanced (all visible GPUs).
        task: causal or masked.
        attention: eager, or sdpa, which is faster but keeps no attention rows.
        trust_remote_code: run Python code that comes with the model; it can do anything.
        file: within a package, the .gguf file or folder that is the model.
        sha256: checksum that the model file must have; empty for none.
        allow_pickle: accept pickled weights.
        adapter: a LoRA adapter that is merged into the model: its folder or hub id, or as in the config.

    Raises:
        UserError: if the source cannot be obtained or does not fit, or if a check of its anatomy fails.
    """
    given = {
        "dtype": dtype,
        "quantization": quantization,
        "compute_dtype": compute_dtype,
        "device": device,
        "task": task,
        "attention": attention,
        "trust_remote_code": trust_remote_code,
        "file": file,
        "sha256": sha256,
        "allow_pickle": allow_pickle,
        "adapter": _as_source(str(adapter)) if isinstance(adapter, str | Path) and str(adapter) else adapter,
    }
    options = load_options(given, "load")
    of_source = {key: options.pop(key) for key in OF_SOURCE}
    return _load(_text_of(source), LoadOptions(**options), of_source)


def _load(source: str, settings: LoadOptions, of_source: dict) -> LoadedModel:
    labels = {"model": source, "condition": "baseline", "prompt_set": ""}
    if (Path(source) / MANIFEST).exists() and not of_source["adapter"]:
        return checked_model(source, settings, labels)
    parsed = parse_source(_as_source(source), trust_remote_code=settings.trust_remote_code, **of_source)
    if there := in_place(parsed):
        folder, manifest = there
        return checked_model(folder, settings, labels, manifest)
    with tempfile.TemporaryDirectory() as scratch:
        fetch(parsed, Path(scratch) / "snapshot")
        with _named(source, scratch):
            return checked_model(Path(scratch) / "snapshot", settings, labels)


def _text_of(source: object) -> str:
    if not isinstance(source, str | Path) or not str(source).strip():
        raise SourceError(f"found {source!r:.60}", where="load → source", expected='a folder, or "org/name" of the hub')
    return str(source)


@contextmanager
def _named(source: str, folder: str) -> Iterator[None]:
    """Make errors name the source that the user gave, not the temporary folder that it was unpacked in."""
    try:
        yield
    except UserError as error:
        what, where = (text.replace(f"{folder}/snapshot", source) for text in (error.what, error.where))
        raise type(error)(what, where=where, expected=error.expected, todo=error.todo) from error


def _as_source(text: str) -> str:
    """A source of the config; what is no hub id ("org/name") can only be a path, even if there is nothing."""
    if text.partition(":")[0] in KINDS:
        return text
    is_path = text.startswith((".", "~", "/")) or text.count("/") > 1 or Path(text).expanduser().exists()
    return f"path:{text}" if is_path else f"hf:{text}"
