"""Rule run_tables: prompts as the models read them, snapshots and the config → models, prompts_read, conditions."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from internal_physics.families.run.conditions import conditions_table
from internal_physics.ground.status import OK
from internal_physics.models.checkpoint import stored_tensors
from internal_physics.models.coverage import COVERAGE, NOT_COVERED
from internal_physics.models.options import PRECISION, QUANTIZED_SHARE
from internal_physics.models.snapshot import Manifest, read_manifest, source_formats
from internal_physics.tables.columns import TARGETS
from internal_physics.tables.rows import read_rows

NOTES = ("kind", "difficulty", "answer")
_OF_PROMPT = ["model", "prompt_set", "prompt", "text", "n_tokens", "tokens", *TARGETS]
Notes = Mapping[str, Mapping[str, Mapping[str, str | None]]]  # prompt set → prompt → its notes


def run_tables(
    *,
    prompts: Sequence[str],
    snapshots: Sequence[str],
    models: Mapping[str, Mapping[str, Any]],
    notes: Notes,
    conditions: Mapping[str, Mapping[str, Any]],
    runs: Sequence[tuple[str, str, Sequence[str]]],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of the three tables; the prompts of one model are in memory at a time.

    Args:
        prompts: files of rule prompts_read, one for each model.
        snapshots: folders, likewise.
        models: name → source, task, step and parent, in the same order.
        notes: kind, difficulty and answer of every prompt; empty if not given.
        conditions: name → steering.
        runs: every model in every condition, with the names of its prompt sets.
    """
    for path, snapshot, (model, options) in zip(prompts, snapshots, models.items(), strict=True):
        rows = read_rows(path)
        yield "models", pd.DataFrame([model_row(model, options, snapshot, rows)])
        yield "prompts_read", with_notes(rows[_OF_PROMPT], notes)
    yield "conditions", conditions_table(conditions, runs)


def model_row(model: str, options: Mapping[str, Any], snapshot: str | Path, prompts: pd.DataFrame) -> dict[str, Any]:
    """The row of table `models`, with the number formats that ran; only a checkpoint has a step and a parent."""
    manifest = read_manifest(snapshot)
    first = prompts.iloc[0]
    return {
        "model": model,
        **options,
        **{name: first[name] for name in (*PRECISION, QUANTIZED_SHARE, *COVERAGE)},
        NOT_COVERED: first[NOT_COVERED] or None,
        "adapter": manifest.adapter or None,
        "stored_as": source_formats(snapshot, manifest) or None,
        "revision": manifest.revision,
        "sha256": weights_sha256(manifest),
        "n_blocks": first["n_blocks"],
        "width": first["width"],
        "n_parameters": sum(tensor.size for tensor in stored_tensors(snapshot)),
        "status": OK,
    }


def with_notes(prompts: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    """The prompts of one model with their notes beside them; an empty note is missing.

    Raises:
        KeyError: for a prompt that `notes` does not name.
    """
    own = [notes[row.prompt_set][row.prompt] for row in prompts.itertuples()]
    return prompts.assign(status=OK, **{name: [note[name] or None for note in own] for name in NOTES})


def weights_sha256(manifest: Manifest) -> str:
    """SHA-256 of what `sha256sum *.safetensors` prints in the snapshot's folder."""
    names = sorted(name for name in manifest.files if name.endswith(".safetensors"))
    lines = "".join(f"{manifest.files[name]['sha256']}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()
