"""`show` of a record: the prompt, what is kept of it, and what made it."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from internal_physics.api.prompt_scores import score_rows
from internal_physics.api.shown import Part, Shown, size_text
from internal_physics.families.residual_gain.residual_gain import top_tokens
from internal_physics.records import trace as records
from internal_physics.records.store import read_trace, versions_of
from internal_physics.records.trace import Key, Trace

_PLACES = ("residual", "attention", "logits", "weights")
_OF_EXPERTS = ("router_logits", "expert_ids")
_ROW = re.compile(r"^\| (?P<site>[^|]+) \| [^|]+ \| (?P<quantities>[^|]+) \| [^|]+ \| (?P<meaning>.+) \|$")


def show_record(path: str | Path) -> Shown:
    """Explain a record; only its footer and small tensors are read.

    Raises:
        StoreError: if it is damaged.
    """
    trace = read_trace(path)
    info = trace.info
    facts = {
        "text": info.text,
        "tokens": len(info.token_ids),
        "loss_nats": trace.loss_nats,
        "blocks": info.n_layers,
        "width": info.width,
        "task": info.task,
        "read at token": info.read_position,
        "answer": info.answer or "",
        "weight gradients": info.weight_gradients,
        "weights": len(info.parameters),
        "size": size_text(Path(path).stat().st_size),
    }
    parts = [
        Part("Tensors", kept(trace), "layers: −1 before the blocks, L after them; T tokens, d width"),
        Part("Scores", list(score_rows(trace))),
    ]
    if Key("logits", trace.n_layers, "top_ids") in trace.tensors:
        rows = [{"token": token.text, "probability": token.probability} for token in top_tokens(trace)]
        parts.append(Part("Most probable next tokens", rows))
    return Shown(
        "record",
        str(path),
        "The physical record of one prompt through one model: residual stream, gradients and prediction. Read it with "
        "ip.read_trace.",
        facts={name: value for name, value in facts.items() if value != ""},
        parts=parts,
        provenance={**_labels(info.labels), **versions_of(path)},
    )


def kept(trace: Trace) -> list[Mapping[str, Any]]:
    """One row per kind of tensor: where, quantity, how many, shapes and meaning."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in trace.tensors:
        groups.setdefault((_place(key), key.quantity), []).append(key)
    return [
        {"where": place, "quantity": quantity, "tensors": len(keys), "meaning": meanings().get((place, quantity), "")}
        for (place, quantity), keys in groups.items()
    ]


@cache
def meanings() -> dict[tuple[str, str], str]:
    """(place, quantity) → meaning, from the table at the top of records/trace.py."""
    found = {}
    for line in (records.__doc__ or "").splitlines():
        if row := _ROW.match(line):
            for quantity in row["quantities"].split(", "):
                found[_named(row["site"]), quantity] = row["meaning"].replace("\\", "")
    return found


def _named(site: str) -> str:
    return {"the experts of a block": "experts", "a module": "module", "a parameter": "weight"}.get(site, site)


def _place(key: Key) -> str:
    if key.site in _PLACES:
        return key.site
    if key.quantity in _OF_EXPERTS:
        return "experts"
    return "weight" if key.quantity in ("gradient", "gradient_norm") else "module"


def _labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Labels that say something, as text and numbers."""
    return {key: _plain(value) for key, value in labels.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return value if isinstance(value, int | float) else str(value)
