"""Command `compare`: two records of prompts side by side."""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

from internal_physics.cli.answer import Answer
from internal_physics.cli.layout import MISSING, Bar, Block, Column, Grid, Heading, Text, number, percent, quoted
from internal_physics.ground.status import OK

HELP = "two records side by side: scores, layers, weight gradients, predictions"
EPILOG = """\
A record is a file of results/tensors, or one that trace.save wrote. B is the
reference: distances are relative to it, and a difference is b - a."""
_RIGHT = {"right": True}
_WORDS = {
    "kl_nats": "KL(b ‖ a) of the predictions, in nats",
    "kl_at_least_nats": "KL(b ‖ a) of the predictions is at least, in nats",
    "best_token_agrees": "same most probable token (1: yes)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("a", metavar="A", help="a record")
    parser.add_argument("b", metavar="B", help="the record that it is compared with")


def answer(given: argparse.Namespace) -> Answer:
    """Read both records and compare them.

    Raises:
        StoreError: for a file that is missing, damaged or not a record.
    """
    from internal_physics.api.comparing_records import compare_records  # noqa: PLC0415
    from internal_physics.records.store import read_trace  # noqa: PLC0415

    found = compare_records(read_trace(given.a), read_trace(given.b)).to_dict()
    return Answer(found, document(found))


def document(found: Mapping[str, Any]) -> list[Block]:
    """A comparison (`Comparison.to_dict`) as tables."""
    return [
        *(_identity(name, found[name]) for name in ("a", "b")),
        *_scores(found["scores"]),
        *_predictions(found["prediction"], found["top_tokens"]),
        *_layers(found["residuals"], found["blocks"]),
        *_weights(found["weights"], found["n_weights"]),
        *_refused(found["refused"]),
    ]


def _identity(name: str, record: Mapping[str, Any]) -> Block:
    said = [str(record[key]) for key in ("model", "condition", "dtype") if record.get(key)]
    if record.get("quantization", "none") != "none":
        said.append(str(record["quantization"]))
    return Text(f"{name}: {', '.join(said)}: {quoted(record['text'])} ({len(record['tokens'])} tokens)", hanging=3)


def _scores(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    columns = [*(Column(name, **_RIGHT) for name in ("a", "b", "b − a", "change")), Column("", shrinks=True)]
    cells = [[*(number(row[key]) for key in ("a", "b", "difference")), _change(row), row["meaning"]] for row in rows]
    notes = [Text(f"- {row['quantity']}: {row['status']}", "alarm", 2) for row in rows if row["status"] != OK]
    return [Heading("Scores"), Grid(columns, cells), *notes]


def _change(row: Mapping[str, Any]) -> str:
    """Relative change with its sign; `MISSING` where it is undefined."""
    share = row["difference"] / abs(row["a"]) if row["a"] else math.nan
    return f"{100 * share:+.1f} %".replace("-", "−") if math.isfinite(share) else MISSING


def _predictions(rows: Sequence[Mapping[str, Any]], top: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Block]:
    columns = [Column(name, shrinks=name in "ab", right=name not in "ab") for name in ("a", "p", "b", "q")]
    tokens = [
        [cell for one in pair for cell in (quoted(one["text"]), percent(one["probability"]))]
        for pair in zip(top["a"], top["b"], strict=False)
    ]
    measured = [[number(row["value"]), _WORDS[row["quantity"]]] for row in rows if row["status"] == OK]
    grids: list[Block] = [Grid([Column("", **_RIGHT), Column("")], measured)] if measured else []
    return [Heading("Predictions", "most probable next tokens"), Grid(columns, tokens), *grids]


def _layers(residuals: Sequence[Mapping[str, Any]], blocks: Sequence[Mapping[str, Any]]) -> list[Block]:
    of_pairs = ("residual_cosine", "residual_distance", "gradient_cosine", "gradient_distance")
    of_blocks = ("gain_a", "gain_b", "relative_gradient_change_a", "relative_gradient_change_b")
    titles = ["l", "cos res.", "dist.", "cos grad.", "dist.", "", "gain a", "b", "change a", "b"]
    columns = [Column(title, right=bool(title)) for title in titles]
    cells: list[list[Any]] = []
    for layer in range(max(len(residuals), len(blocks))):
        pair = residuals[layer] if residuals else {}
        block = blocks[layer] if layer < len(blocks) else {}
        cosines = [_three(pair[key]) if key in pair else "" for key in of_pairs]
        bar = Bar(max(0.0, pair["gradient_cosine"])) if pair else ""
        cells.append([str(layer), *cosines, bar, *(_three(block[key]) if block else "" for key in of_blocks)])
    remark = "cosine and distance of residuals and gradients; the bar is the cosine of gradients"
    return [Heading("Layers", remark), Grid(columns, cells)] if cells else []


def _weights(rows: Sequence[Mapping[str, Any]], n_weights: int) -> list[Block]:
    if not rows:
        return []
    columns = [Column("cosine", **_RIGHT), Column("distance", **_RIGHT), Column("kind"), Column("weight", shrinks=True)]
    cells = [[_three(row["cosine"]), _three(row["distance"]), str(row["kind"]), row["parameter"]] for row in rows]
    return [Heading("Weight gradients that agree least", f"of {n_weights} with a cosine"), Grid(columns, cells)]


def _refused(sentences: Sequence[str]) -> list[Block]:
    said = [Text(f"- {sentence}", "alarm", hanging=2) for sentence in sentences]
    return [Heading("Not compared"), *said] if said else []


def _three(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else number(value)
