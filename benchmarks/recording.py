"""Rows 1, 2, 3 and 6 of the table: speed of recording, size on disk, metrics from Parquet."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from internal_physics.config.prompts import Prompt
from internal_physics.families.gradient_flow.isf import isf
from internal_physics.families.gradient_flow.scores import ec, isa, isc, isg
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded, encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.records.store import read_trace, write_trace

from benchmarks.harness import Row, alternate, ratio
from benchmarks.subjects import bare_pass, load, prompts, usual_backward

ALONE, BATCHED = RecordOptions(batch_size=1), RecordOptions(batch_size=16)


def record(model: LoadedModel, batch: Sequence[Encoded], options: RecordOptions) -> None:
    """Record and let go of every trace."""
    for _trace in record_batches(model, batch, options):
        pass


def rows(rounds: int) -> list[Row]:
    """Measure on SmolLM2-135M, float32, this machine's CPU."""
    model = load()
    return [*_speed(model, rounds), *_disk(model), _metrics_from_parquet(model, rounds)]


def _speed(model: LoadedModel, rounds: int) -> list[Row]:
    five = prompts(model, "difficulty_spectrum", 5)
    sixteen = [e for kind in ("factual", "syntactic", "ambiguous", "nonsense") for e in prompts(model, kind, 4)]
    of_five = alternate(
        {
            "usual": lambda: usual_backward(model, five),
            "bare": lambda: bare_pass(model, five),
            "alone": lambda: record(model, five, ALONE),
            "batched": lambda: record(model, five, BATCHED),
        },
        rounds,
    )
    of_sixteen = alternate(
        {"usual": lambda: usual_backward(model, sixteen), "batched": lambda: record(model, sixteen, BATCHED)},
        rounds,
    )
    return [
        _faster("record vs. usual backward, one prompt at a time", 2.3, ratio(of_five["usual"], of_five["alone"])),
        _faster("record vs. usual backward, batch of 5", 4.0, ratio(of_five["usual"], of_five["batched"])),
        _faster("record vs. usual backward, batch of 16", 8.0, ratio(of_sixteen["usual"], of_sixteen["batched"])),
        _faster(
            "the floor: bare forward+backward vs. usual backward, one at a time",
            0,
            ratio(of_five["usual"], of_five["bare"]),
        ),
    ]


def _disk(model: LoadedModel) -> list[Row]:
    dense_bytes = 4 * sum(p.numel() for p in model.module.parameters() if p.ndim == 2)
    texts = {
        20: "The agreement, which binds all parties at once, and which was signed only yesterday, says that",
        5: "The capital of France is",
    }
    found = []
    for bar, text in ((15, texts[20]), (50, texts[5])):
        e = encode(Prompt("prompt", text), model.tokenizer, "causal", None)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.parquet"
            write_trace(next(iter(record_batches(model, [e], ALONE))), path)
            times = dense_bytes / path.stat().st_size
        found.append(
            Row(
                f"tensors on disk vs. dense gradients, T = {len(e.ids)}",
                f"≤ 1/{bar}",
                f"1/{times:.0f}",
                times >= bar,
            )
        )
    return found


def _metrics_from_parquet(model: LoadedModel, rounds: int) -> Row:
    batch = prompts(model, "difficulty_spectrum", 5)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for trace in record_batches(model, batch, BATCHED):
            paths.append(Path(folder) / f"{trace.info.prompt}.parquet")
            write_trace(trace, paths[-1])

        def measure() -> None:
            traces = [read_trace(path) for path in paths]
            for trace in traces:
                for metric in (ec, isc, isg, isa):
                    metric(trace)
            isf(traces)

        def again() -> None:
            record(model, batch, ALONE)

        seconds = alternate({"record": again, "measure": measure}, rounds)
    return _faster(
        "all five gradient-flow metrics from Parquet vs. recording again",
        20.0,
        ratio(seconds["record"], seconds["measure"]),
    )


def _faster(what: str, bar: float, measured: float) -> Row:
    return Row(what, f"≥ {bar:g}×" if bar else "", f"{measured:.1f}×", measured >= bar)
