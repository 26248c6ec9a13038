"""The text of `look`: a profile → blocks of a document. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from internal_physics.cli.layout import (
    Bar,
    Block,
    Column,
    Grid,
    Heading,
    Text,
    log_shares,
    number,
    percent,
    quoted,
    shares,
)

N_PREDICTED = 5
_OF_BLOCK = ("relative_gradient_change", "gradient_cosine", "gain")
_RIGHT = {"right": True}


def document(profile: Mapping[str, Any]) -> list[Block]:
    """The whole profile (`api.looking.Profile.to_dict`) as tables."""
    return [
        *_model(profile["model"], profile["prompt"]),
        *_prediction(profile["prediction"], profile["prompt"]),
        *_scores(profile["scores"]),
        *_flow(profile["residuals"], profile["blocks"]),
        *_lens(profile["residuals"], profile["prompt"]),
        *_weights(profile["hottest"], profile["coldest"], profile["n_weights"]),
        *_flags(profile["flags"]),
    ]


def _model(model: Mapping[str, Any], prompt: Mapping[str, Any]) -> list[Block]:
    formats = [model[key] for key in ("dtype", "quantization") if model.get(key, "none") != "none"]
    shape = f"{model['architecture']}, {model['blocks']} blocks, width {model['width']}, {model['task']}"
    said: list[Block] = [Heading(str(model["source"])), Text(", ".join([shape, *formats, model["device"]]))]
    said.append(Text(f"{quoted(prompt['text'])}: {len(prompt['tokens'])} tokens", hanging=2))
    return [*said, Text(f"steered: {prompt['steering']}", hanging=2)] if prompt["steering"] else said


def _prediction(rows: Sequence[Mapping[str, Any]], prompt: Mapping[str, Any]) -> list[Block]:
    where = "next token" if prompt["read_position"] == len(prompt["tokens"]) - 1 else "token at the [MASK]"
    top = rows[:N_PREDICTED]
    columns = [Column("token", shrinks=True), Column("probability", **_RIGHT), Column("")]
    cells: list[list[Any]] = [[_token(row), percent(row["probability"]), Bar(row["probability"])] for row in top]
    if top and "baseline_probability" in top[0]:
        columns.append(Column("without steering", **_RIGHT))
        cells = [[*of_row, percent(row["baseline_probability"])] for of_row, row in zip(cells, top, strict=True)]
    return [Heading("Prediction", where), Grid(columns, cells)]


def _scores(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    columns = [Column("score", **_RIGHT), Column("", shrinks=True)]
    return [Heading("Scores"), Grid(columns, [[number(row["value"]), row["meaning"]] for row in rows])]


def _flow(residuals: Sequence[Mapping[str, Any]], blocks: Sequence[Mapping[str, Any]]) -> list[Block]:
    """One row per residual; what a block does stands in the row of the residual that enters it."""
    columns = [
        Column("l", **_RIGHT),
        Column("‖gradient‖", **_RIGHT),
        Column("log"),
        Column("change", **_RIGHT),
        Column("cosine", **_RIGHT),
        Column("‖residual‖", **_RIGHT),
        Column("gain", **_RIGHT),
        Column("|ln gain|"),
    ]
    gradients = log_shares([row["gradient_norm"] for row in residuals])
    of_gains = shares([abs(math.log(g)) if (g := row["gain"]) > 0 else math.nan for row in blocks])
    cells: list[list[Any]] = []
    for row, share in zip(residuals, gradients, strict=True):
        block = blocks[row["layer"]] if row["layer"] < len(blocks) else None
        change, cosine, gain = ("",) * 3 if block is None else (_two(block[key]) for key in _OF_BLOCK)
        grown = Bar(of_gains[row["layer"]]) if block is not None else ""
        norms = [number(row["gradient_norm"]), Bar(share)]
        cells.append([str(row["layer"]), *norms, change, cosine, number(row["residual_norm"]), gain, grown])
    remark = "by residual l; block l leads from l to l + 1; all tokens together"
    return [Heading("Gradient flow and residual gain", remark), Grid(columns, cells)]


def _token(row: Mapping[str, Any]) -> str:
    """Its text, or the number of a token that has none: a tokenizer decodes special tokens and unused ids to ""."""
    return quoted(row["token"]) if row["token"] else f"token {row['id']}"


def _lens(residuals: Sequence[Mapping[str, Any]], prompt: Mapping[str, Any]) -> list[Block]:
    columns = [Column("l", **_RIGHT), Column("entropy", **_RIGHT), Column("")]
    columns += [Column("most probable tokens", shrinks=True), Column("", shrinks=True), Column("", shrinks=True)]
    entropies = shares([row["entropy_nats"] for row in residuals])
    cells: list[list[Any]] = []
    for row, share in zip(residuals, entropies, strict=True):
        tokens = [f"{_token(top)} {percent(top['probability'])}" for top in row["top_tokens"][:3]]
        head = [str(row["layer"]), number(row["entropy_nats"]), Bar(share)]
        cells.append([*head, *tokens, *[""] * (3 - len(tokens))])
    return [Heading("Logit lens", f"read at token {prompt['read_position']}; entropy in nats"), Grid(columns, cells)]


def _weights(hot: Sequence[Mapping[str, Any]], cold: Sequence[Mapping[str, Any]], n_weights: int) -> list[Block]:
    columns = [
        Column(""),
        Column("temperature", **_RIGHT),
        Column("kind"),
        Column("weight", shrinks=True),
    ]
    cells = [[word, *_weight(row)] for word, rows in (("hot", hot), ("cold", cold)) for row in rows]
    remark = f"T = ‖W‖ / ‖G‖ of {n_weights} weights; the prompt pulls at the cold ones"
    return [Heading("Hottest and coldest weights", remark), Grid(columns, cells)]


def _weight(row: Mapping[str, Any]) -> list[str]:
    return [number(row["temperature"]), row["kind"], row["parameter"]]


def _flags(flags: Sequence[str]) -> list[Block]:
    said = [Text(f"- {flag}", "alarm", hanging=2) for flag in flags]
    return [Heading("Flags"), *(said or [Text("None: every number is finite, and no block is off scale.")])]


def _two(value: float) -> str:
    return number(value) if math.isnan(value) or abs(value) >= 1000 else f"{value:.2f}"
