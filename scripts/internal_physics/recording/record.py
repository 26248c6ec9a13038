"""Rule record: the prompts of one set through one model, each to a Parquet file of its own."""

import logging
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from internal_physics.config.options.record import RecordOptions
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.models.coverage import in_words
from internal_physics.models.loading import LoadedModel, load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.models.refusals import naming
from internal_physics.models.snapshot import Manifest, read_manifest, source_formats
from internal_physics.recording.encoding import Encoded, encode_prompts
from internal_physics.recording.recorder import record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.recording.size import expected_bytes
from internal_physics.records.listing import write_listing
from internal_physics.records.store import write_trace
from internal_physics.records.trace import Trace
from internal_physics.steering.directions import build_steering

LOGGER = logging.getLogger("internal_physics")
WRITES_AHEAD = 8  # traces kept in memory while the disk catches up


def record_set(
    *,
    snapshot: str | Path,
    outputs: Sequence[str | Path],
    listing: str | Path,
    prompts: Sequence[Mapping[str, Any]],
    load: Mapping[str, Any],
    record: Mapping[str, Any],
    labels: Mapping[str, Any],
    threads: int,
    steering: Mapping[str, Any] | None = None,
    steering_file: str | Path | Sequence[str] | None = None,
    text: Mapping[str, Any] | None = None,
) -> None:
    """Load a snapshot once, prove its anatomy, and record every prompt.

    Args:
        snapshot: its folder.
        outputs: one path per prompt, in the order of the prompts.
        listing: where these are listed, once all are written.
        prompts: name, text and answer of each.
        load: options of LoadOptions.
        record: the config's `record` section with the set's own weight_gradients.
        labels: model, condition and prompt set, for the files' metadata.
        threads: of torch.
        steering: what is added to the residual stream, as in the config; None for the baseline.
        steering_file: where its direction is; the first of several.
        text: options of TextOptions: how a text becomes tokens.

    Raises:
        UserError: what is wrong with snapshot, model, prompt, steering or disk; everything except the disk is checked
            before the first pass.
    """
    torch.set_num_threads(threads)
    options = RecordOptions(**record)
    model = checked_model(snapshot, LoadOptions(**load), labels)
    how = TextOptions(**text or {})
    encoded = _encode_set(model, prompts, labels["prompt_set"], how, needs_loss=options.target == "loss")
    model.labels = {**model.labels, **asdict(how)}
    intervention = None
    if steering is not None:
        file = steering_file if isinstance(steering_file, str | Path) else next(iter(steering_file or []), None)
        where = f"conditions → {labels['condition']}"
        intervention = build_steering(steering, model.anatomy, file=file, where=where)
        model.labels = {**model.labels, "steering": intervention.description}
    LOGGER.info("recording %d prompts, about %.0f MB on disk", len(encoded), _expected_mb(model, encoded, options))
    paths = {p["name"]: path for p, path in zip(prompts, outputs, strict=True)}
    description = f"{labels['model']} · {labels['condition']} · {labels['prompt_set']}"
    traces = tqdm(
        record_batches(model, encoded, options, intervention),
        total=len(encoded),
        desc=description,
        unit="prompt",
        file=sys.stderr,
    )
    write_listing(_write_beside(traces, paths), listing)


def checked_model(
    snapshot: str | Path, options: LoadOptions, labels: Mapping[str, Any], manifest: Manifest | None = None
) -> LoadedModel:
    """Load a snapshot and prove its anatomy; weights that no record will cover are named in the log.

    Args:
        snapshot: its folder, or one that was found complete and is described by `manifest`.
        options: how it is loaded.
        labels: model, condition and prompt set, for the records' metadata.
        manifest: for a folder that has no manifest file.

    Raises:
        UserError: for a snapshot that is incomplete or cannot be loaded, or whose anatomy fails the self-check.
    """
    manifest = manifest or read_manifest(snapshot)
    with naming(snapshot):  # errors of the proof know only the model's class
        checked = check_model(load_snapshot(snapshot, options))
    if checked.unreached:
        LOGGER.warning(
            "no gradient is recorded for %d weights: %s", len(checked.unreached), in_words(checked.unreached)
        )
    LOGGER.info("self-check passed: %s on %s", checked.model.anatomy.architecture, checked.model.device)
    source, precision = manifest.source, checked.model.precision
    checked.model.labels = {
        **labels,
        "source": f"{source['kind']}:{source['name']}",
        "revision": manifest.revision,
        "stored_as": source_formats(snapshot, manifest),
        "sha256": {name: entry["sha256"] for name, entry in manifest.files.items() if name.endswith(".safetensors")},
        **({"adapter": manifest.adapter} if manifest.adapter else {}),
        **({} if precision is None else precision.labels()),
        **checked.model.coverage.labels(),
    }
    return checked.model


def _encode_set(
    model: LoadedModel,
    prompts: Sequence[Mapping[str, Any]],
    prompt_set: str,
    options: TextOptions,
    *,
    needs_loss: bool,
) -> list[Encoded]:
    """All prompts as token ids; a refusal names the place in the config."""
    try:
        return encode_prompts(model, [Prompt(**p) for p in prompts], options, needs_loss=needs_loss)
    except PromptError as error:
        where = f"prompt_sets → {prompt_set} → {error.where}"
        raise PromptError(error.what, where=where, expected=error.expected, todo=error.todo) from None


def _expected_mb(model: LoadedModel, encoded: Sequence[Encoded], options: RecordOptions) -> float:
    of, n_vocabulary = (model.anatomy, model.coverage), model.n_embeddings
    return sum(expected_bytes(*of, len(e.ids), options, n_vocabulary=n_vocabulary) for e in encoded) / 1e6


def _write_beside(traces: Iterable[Trace], paths: Mapping[str, str | Path]) -> list[tuple[str | Path, str]]:
    """Write in one thread beside the passes: compression, checksum and disk overlap with the next batch.

    Returns:
        Path and sha256 of every record, in the order of `paths`.
    """
    digests: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=1) as writer:
        waiting: deque[tuple[str, Future[str]]] = deque()
        for trace in traces:
            prompt = trace.info.prompt
            waiting.append((prompt, writer.submit(write_trace, trace, paths[prompt])))
            while len(waiting) > WRITES_AHEAD:
                name, written = waiting.popleft()
                digests[name] = written.result()
        digests |= {name: written.result() for name, written in waiting}
    return [(path, digests[prompt]) for prompt, path in paths.items()]
