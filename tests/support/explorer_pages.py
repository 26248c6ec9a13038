"""Made-up runs as explorer pages."""

import numpy as np
import pandas as pd
from internal_physics.families.registry import FAMILIES, FOLDER, TABLES
from internal_physics.report.explorer.payload import build_payload
from internal_physics.report.texts import gather_texts
from internal_physics.tables.write import write_table
from synthetic_tables import make_tables

SETS = ("facts", "odd")
USED = (
    "models",
    "prompts_read",
    "prompts",
    "scores",
    "scores_normalized",
    "layers",
    "information",
    "gains",
    "agreement",
)


def write_run(folder, *, steps=False):
    """Tables of three models on two prompt sets of five prompts, and a lens; returns paths and lens files."""
    tables = make_tables(3, n_prompts=5, n_layers=6, prompt_sets=SETS)
    tables["prompts_read"]["tokens"] = "⟨<s>⟩|A| text|,"
    if steps:
        tables["models"]["step"] = pd.array([100 * (i + 1) for i in range(3)], dtype="Int64")
    paths = {}
    for name in USED:
        paths[name] = folder / f"{name}.parquet"
        write_table(tables[name], TABLES[name], csv=folder / f"{name}.csv", parquet=paths[name])
    lens = folder / "positions.parquet"
    lens_rows(tables["prompts"]).to_parquet(lens)
    return paths, [lens]


def lens_rows(prompts, n_layers=6, n_tokens=4):
    """A lens of the baseline of every prompt: its top token is the layer's letter."""
    rows = []
    for row in prompts.itertuples():
        key = {name: getattr(row, name) for name in ("model", "condition", "prompt_set", "prompt")}
        for layer in range(n_layers + 1):
            for position in range(n_tokens):
                told = {"token": f" t{position}", "target": f" t{position + 1}", "top_token": " <b>" if layer else "a"}
                numbers = {"top_probability": (layer + 1) / 10, "entropy_nats": 3.0 - layer / 10}
                rows.append(key | {"layer": layer, "position": position, "is_read": position == 3} | told | numbers)
    return pd.DataFrame(rows)


def payload_of(folder, **options):
    """The payload of such a run."""
    paths, lenses = write_run(folder, steps=options.pop("steps", False))
    texts = gather_texts(FAMILIES, FOLDER)
    return build_payload(paths, TABLES, FAMILIES, texts, lenses=lenses, confidence_level=0.95, **options)


def unpacked(payload, place):
    """The array at a place of the payload, by another way than the page's."""
    import base64
    import zlib

    sizes = {"f4": 4, "u2": 2, "u1": 1}
    content = zlib.decompress(base64.b64decode(payload["packed"]))
    size, count = sizes[place["type"]], place["count"]
    planes = np.frombuffer(content, np.uint8, size * count, place["start"]).reshape(size, count)
    return np.ascontiguousarray(planes.T).view(f"<{place['type']}").ravel()
