"""Made-up runs as explorer pages."""

import numpy as np
import pandas as pd
from internal_physics.families.registry import FAMILIES, FOLDER, TABLES
from internal_physics.report.explorer.payload import build_payload
from internal_physics.report.texts import gather_texts
from internal_physics.tables.columns import OF_PROMPT, STATUS, TEXT, Column
from internal_physics.tables.table import Table
from internal_physics.tables.write import write_table
from synthetic_tables import make_tables

SETS = ("facts", "odd")
STEPS = (100, 200, 300)
_SOURCE = {"source": Column(TEXT, "", "made from")}
_PAIR = {name: Column(TEXT, "", "of q") for name in ("other_prompt_set", "other_prompt")}
_NUMBER = Column("float64", "1", "how alike they are")
LIKENESS = Table(
    "likeness",
    columns=OF_PROMPT | _SOURCE | _PAIR | {"value": _NUMBER, "cosine": _NUMBER, "status": STATUS},
    key=[*OF_PROMPT, "source", *_PAIR],
)
PLACES = Table(
    "places", columns=OF_PROMPT | _SOURCE | {"x": _NUMBER, "y": _NUMBER, "status": STATUS}, key=[*OF_PROMPT, "source"]
)
ALL_TABLES = TABLES | {LIKENESS.name: LIKENESS, PLACES.name: PLACES}
OF_RUN = ("models", "prompts_read", "prompts", "scores", "scores_normalized")
USED = (*OF_RUN, "layers", "information", "gains", "agreement")


def write_run(folder, *, steps=False):
    """Tables of three models on two prompt sets of five prompts, and a lens; returns paths and lens files.

    With steps, the models are checkpoints 100, 200 and 300 of one training.
    """
    tables = make_tables(3, n_prompts=5, n_layers=6, prompt_sets=SETS)
    tables["prompts_read"]["tokens"] = "⟨<s>⟩|A| text|,"
    if steps:
        tables["models"] = tables["models"].assign(
            step=pd.array(STEPS, dtype="Int64"), parent="training", dtype="float32", quantization="none"
        )
    paths = {}
    for name in USED:
        paths[name] = folder / f"{name}.parquet"
        write_table(tables[name], TABLES[name], csv=folder / f"{name}.csv", parquet=paths[name])
    lens = folder / "positions.parquet"
    lens_rows(tables["prompts"]).to_parquet(lens)
    return paths, [lens]


def lens_rows(prompts, n_layers=6, n_tokens=4):
    """A lens of every prompt: its top token is "a" at the embedding, where position 2 expects it, and else <b>."""
    rows = []
    for row in prompts.itertuples():
        key = {name: getattr(row, name) for name in ("model", "condition", "prompt_set", "prompt")}
        for layer in range(n_layers + 1):
            for position in range(n_tokens):
                target = "a" if (layer, position) == (0, 2) else f" t{position + 1}"
                told = {"token": f" t{position}", "target": target, "top_token": " <b>" if layer else "a"}
                numbers = {"top_probability": (layer + 1) / 10, "entropy_nats": 3.0 - layer / 10}
                rows.append(key | {"layer": layer, "position": position, "is_read": position == 3} | told | numbers)
    return pd.DataFrame(rows)


def payload_of(folder, **options):
    """The payload of such a run, with the tables of another family: how alike its prompts are, and their map."""
    paths, lenses = write_run(folder, steps=options.pop("steps", False))
    prompts = pd.read_parquet(paths["prompts"])
    for table, rows in ((LIKENESS, likeness_rows(prompts)), (PLACES, place_rows(prompts))):
        paths[table.name] = folder / f"{table.name}.parquet"
        write_table(rows, table, csv=folder / f"{table.name}.csv", parquet=paths[table.name])
    texts = gather_texts(FAMILIES, FOLDER)
    return build_payload(paths, ALL_TABLES, FAMILIES, texts, lenses=lenses, confidence_level=0.95, **options)


def likeness_rows(prompts):
    """Every pair of prompts of the first model in one order: they are less alike the further apart they stand."""
    own = prompts[prompts["model"] == prompts["model"].iloc[0]].reset_index(drop=True)
    rows = []
    for p, first in own.iterrows():
        for q, second in own.loc[p:].iterrows():
            other = {"other_prompt_set": second["prompt_set"], "other_prompt": second["prompt"]}
            numbers = {"value": 100.0 / (1 + q - p), "cosine": 1 / (1 + q - p), "status": "ok"}
            rows.append({**first[list(OF_PROMPT)], **other, "source": "factors", **numbers})
    found = pd.DataFrame(rows)
    is_lost = (found[list(_PAIR)] == own[["prompt_set", "prompt"]].iloc[-1].to_list()).all(axis=1)
    return found.assign(cosine=found["cosine"].mask(is_lost), status=found["status"].mask(is_lost, "no gradient"))


def place_rows(prompts):
    """Places of the first model's prompts on a plane."""
    own = prompts[prompts["model"] == prompts["model"].iloc[0]]
    places = {"x": np.arange(len(own)) / 10, "y": -np.arange(len(own)) / 10, "status": "ok"}
    return own[list(OF_PROMPT)].assign(source="factors", **places)


def write_large_run(folder):
    """Tables of as many numbers as the default run has, nearly all of them of 361 weights for 432 prompts as read."""
    tables = make_tables(4, n_prompts=4, n_layers=2, flawed=False)
    for name in ("prompts", "prompts_read"):
        copies = [tables[name].assign(prompt=tables[name]["prompt"] + f"_{number}") for number in range(27)]
        tables[name] = pd.concat(copies, ignore_index=True)
    tables["thermodynamics"] = weight_rows(tables["prompts"][list(OF_PROMPT)], TABLES["thermodynamics"])
    paths = {name: folder / f"{name}.parquet" for name in (*OF_RUN, "layers", "thermodynamics")}
    for name, path in paths.items():
        tables[name].to_parquet(path)
    return paths


def weight_rows(prompts, table, kinds=12, layers=30):
    """A row for every prompt and weight; numbers have no pattern, so that they take more room than real ones."""
    rng = np.random.default_rng(0)
    n_weights = kinds * layers + 1
    rows = prompts.loc[prompts.index.repeat(n_weights)].reset_index(drop=True)
    weight = np.tile(np.arange(n_weights), len(prompts))
    of_weight = {"parameter": weight.astype(str), "layer": weight // kinds, "kind": (weight % kinds).astype(str)}
    made_up = {
        name: rng.random(len(rows)) < 0.1 if column.dtype == "bool" else rng.lognormal(sigma=3, size=len(rows))
        for name, column in table.columns.items()
        if column.dtype in ("bool", "float64")
    }
    return rows.assign(**of_weight, **made_up, status="ok", derivative_status="ok")


def unpacked(payload, place):
    """The array at a place of the payload, by another way than the page's."""
    import base64
    import zlib

    sizes = {"f4": 4, "u2": 2, "u1": 1}
    content = zlib.decompress(base64.b64decode(payload["packed"]))
    size, count = sizes[place["type"]], place["count"]
    planes = np.frombuffer(content, np.uint8, size * count, place["start"]).reshape(size, count)
    return np.ascontiguousarray(planes.T).view(f"<{place['type']}").ravel()
