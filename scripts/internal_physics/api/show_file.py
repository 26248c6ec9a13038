"""`show`: which kind of file or folder it is, and what it holds. No pandas, no torch."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from internal_physics.api.shown import Part, Shown, run_provenance, size_text
from internal_physics.ground.errors import StoreError
from internal_physics.models.safetensors_header import read_header
from internal_physics.models.snapshot import MANIFEST, read_manifest
from internal_physics.models.sources import Source

EXPECTED = (
    "a record, a table (.parquet, .csv), findings.json, a config or run.yaml, a .safetensors file, or the folder of a "
    "snapshot, of a model or of results"
)
N_LISTED = 12
_OF_CONFIG = ("architectures", "model_type", "num_hidden_layers", "hidden_size", "vocab_size", "num_attention_heads")


def show(path: str | Path) -> Shown:
    """Explain a file or folder.

    Raises:
        StoreError: if there is no such file, if it is damaged, or if it is of no known kind.
    """
    place = Path(path)
    if not place.exists():
        raise StoreError("there is no such file or folder", where=str(path), expected=EXPECTED, todo="check the path")
    if place.is_dir():
        return _folder(place)
    shower = _BY_ENDING.get(place.suffix.lower())
    if shower is None:
        raise StoreError("this is a file of an unknown kind", where=str(path), expected=EXPECTED)
    return shower(place)


def _folder(path: Path) -> Shown:
    if (path / MANIFEST).is_file():
        return _snapshot(path)
    if (path / "tables").is_dir() or (path / "tensors").is_dir():
        return _run(path)
    if (path / "config.json").is_file():
        facts = {**_architecture(path), "files": ", ".join(sorted(p.name for p in path.iterdir()))}
        return Shown("model folder", str(path), "A model as transformers saves it. Use it as source: path:…", facts)
    raise StoreError("this folder is of an unknown kind", where=str(path), expected=EXPECTED)


def _snapshot(path: Path) -> Shown:
    manifest = read_manifest(path)
    source = Source(**manifest.source)
    quantization = (manifest.quantization or {}).get("quant_method", "none")
    facts = {**_architecture(path), "weights": size_text(manifest.weight_bytes), "quantization": str(quantization)}
    files = [{"file": n, "size": size_text(f["bytes"]), "sha256": f["sha256"]} for n, f in manifest.files.items()]
    came = {"source": source.text, "file": source.file, "revision": manifest.revision}
    came |= {"stored as": manifest.stored_as, "adapter": manifest.adapter}
    about = "A model as the workflow fetched it: config, tokenizer and weights, with their checksums."
    provenance = {name: value for name, value in came.items() if value}
    return Shown("snapshot", str(path), about, facts, parts=[Part("Files", files)], provenance=provenance)


def _architecture(path: Path) -> dict[str, Any]:
    """What config.json says about the model, of its text part where it has several."""
    config = _json(path / "config.json")
    if not isinstance(config, dict):
        return {}
    whole = {**config, **(config.get("text_config") or {})}
    named = {key: whole[key] for key in _OF_CONFIG if key in whole}
    return {k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in named.items()}


def _run(path: Path) -> Shown:
    folders = [p for p in sorted(path.iterdir()) if p.is_dir()]
    rows = [{"folder": p.name, "files": sum(q.is_file() for q in p.rglob("*"))} for p in folders]
    tables = sorted(p.stem for p in (path / "tables").glob("*.parquet")) if (path / "tables").is_dir() else []
    findings = _json(path / "findings.json") if (path / "findings.json").is_file() else []
    parts = [Part("Folders", rows), *([_findings_part(findings)] if findings else [])]
    about = "The results of a run. Open them with ip.read_run; report.html shows them."
    facts = {"tables": ", ".join(tables), "has a report": (path / "report.html").is_file()}
    return Shown("run", str(path), about, facts, parts=parts, provenance=run_provenance(path / "run.yaml"))


def _parquet(path: Path) -> Shown:
    from internal_physics.records.store import is_record  # noqa: PLC0415

    if is_record(path):
        from internal_physics.api.show_record import show_record  # noqa: PLC0415

        return show_record(path)
    from internal_physics.api.show_table import show_parquet  # noqa: PLC0415

    return show_parquet(path)


def _csv(path: Path) -> Shown:
    from internal_physics.api.show_table import show_csv  # noqa: PLC0415

    return show_csv(path)


def _json_file(path: Path) -> Shown:
    if path.name == MANIFEST:
        return _snapshot(path.parent)
    content = _json(path)
    if isinstance(content, list) and all(isinstance(one, dict) and "sentence" in one for one in content):
        about = "What a run found: sentences with their numbers, intervals and prompts, read from its tables."
        parts = [_findings_part(content)]
        return Shown(
            "findings", str(path), about, {"findings": len(content)}, parts=parts, provenance=run_provenance(path)
        )
    raise StoreError("this JSON file is of an unknown kind", where=str(path), expected=EXPECTED)


def _findings_part(findings: list[Mapping[str, Any]]) -> Part:
    keys = ("sentence", "value", "ci_low", "ci_high", "n", "table", "figure")
    return Part("Findings", [{key: one.get(key) for key in keys} for one in findings])


def _yaml(path: Path) -> Shown:
    from internal_physics.ground.strict_yaml import load_yaml  # noqa: PLC0415

    config = load_yaml(path)
    if not isinstance(config, dict) or not isinstance(config.get("models"), dict):
        raise StoreError("this YAML file is no config", where=str(path), expected=EXPECTED)
    models = [{"model": name, **_texts(options)} for name, options in config["models"].items()]
    sets = [{"prompt set": name, "from": _origin(entry)} for name, entry in (config.get("prompt_sets") or {}).items()]
    facts = {"conditions": ", ".join(config.get("conditions") or {}) or "none", "seed": config.get("seed", 0)}
    made = config.get("provenance") or {}
    about = "A config of the workflow" + (", as a run resolved it; it replays that run." if made else ".")
    provenance = {key: made[key] for key in ("created", "git_revision", "python") if key in made}
    parts = [Part("Models", [{"model": m["model"], "options": _joined(m)} for m in models]), Part("Prompt sets", sets)]
    return Shown("run config" if made else "config", str(path), about, facts, parts=parts, provenance=provenance)


def _texts(options: Any) -> dict[str, str]:
    return {key: str(value) for key, value in options.items() if value} if isinstance(options, dict) else {}


def _joined(model: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in model.items() if key != "model")


def _origin(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    prompts = entry.get("prompts")
    return f"{len(prompts)} prompts" if isinstance(prompts, list) else str(entry.get("file") or entry.get("generate"))


def _safetensors(path: Path) -> Shown:
    tensors = read_header(path)
    rows = [{"tensor": t.name, "type": t.dtype, "shape": "×".join(map(str, t.shape))} for t in tensors]
    facts = {"tensors": len(tensors), "numbers": sum(t.size for t in tensors), "size": size_text(path.stat().st_size)}
    about = "Named tensors: weights of a model, or directions for steering."
    remark = f"the first {N_LISTED} of {len(rows)}" if len(rows) > N_LISTED else ""
    return Shown("tensors", str(path), about, facts, parts=[Part("Tensors", list(rows[:N_LISTED]), remark)])


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot be read as JSON ({error})", where=str(path)) from error


_BY_ENDING: dict[str, Callable[[Path], Shown]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json_file,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".safetensors": _safetensors,
}
