"""What recording costs beside the bare pass of the same prompts, in CPU time and on the clock, in one process.

All contestants take turns, with the same weights, prompts, loss, attention and number of threads. The bare pass
computes no gradients of weights either: what is measured is the recorder, not what it saves.
"""

import argparse
import datetime
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from internal_physics.config.prompts import Prompt
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import RecordOptions, record_batches

from benchmarks.default_run import machine
from benchmarks.harness import Cost, Row, alternate_costs
from benchmarks.subjects import bare_pass, encoded, load

MODES = ("none", "norms", "factors")
MOST = 1.08  # of the CPU time of the bare pass, one prompt at a time
TOKENS = (8, 20, 60)
BATCH = range(10, 42, 2)  # tokens of the prompts of the batch
TEXT = "The old river runs slowly past the quiet town where my father once built a small wooden boat, and " * 4
HEAD = "# What `python -m benchmarks.recording_cost --write docs/measured/recording.yaml` printed.\n"


@dataclass(frozen=True)
class Costs:
    """Costs of the bare pass and of each way to record: of one prompt at a time, or of a batch."""

    prompts: str
    threads: int
    alone: bool
    runs: dict[str, list[Cost]]

    def ratio(self, mode: str, clock: str) -> float:
        """Median over rounds of a recording by the bare pass of the same round; `clock` is cpu or wall."""
        pairs = zip(self.runs[mode], self.runs["bare"], strict=True)
        return statistics.median(getattr(one, clock) / getattr(bare, clock) for one, bare in pairs)

    @property
    def bare_ms(self) -> float:
        """Median CPU time of the bare pass, in milliseconds."""
        return 1e3 * statistics.median(cost.cpu for cost in self.runs["bare"])


def measure(rounds: int) -> list[Costs]:
    """One prompt at a time of each length, and a batch of sixteen, on one thread and on all."""
    model, before = load(), torch.get_num_threads()
    found = []
    for threads in sorted({1, before}):
        torch.set_num_threads(threads)
        for n_tokens in TOKENS:
            found.append(_costs(model, [one_prompt(model, n_tokens)], threads, rounds))
        found.append(_costs(model, [one_prompt(model, n) for n in BATCH], threads, rounds))
    torch.set_num_threads(before)
    return found


def _costs(model: LoadedModel, batch: list[Encoded], threads: int, rounds: int) -> Costs:
    options = {mode: RecordOptions(weight_gradients=mode, batch_size=len(batch)) for mode in MODES}
    contestants = {mode: lambda own=own: record_all(model, batch, own) for mode, own in options.items()}
    runs = alternate_costs({"bare": lambda: bare_pass(model, batch, len(batch)), **contestants}, rounds)
    one = len(batch) == 1
    what = f"one of {len(batch[0].ids)} tokens" if one else f"{len(batch)} of {BATCH[0]} to {BATCH[-1]} tokens"
    return Costs(what, threads, one, runs)


def record_all(model: LoadedModel, batch: Sequence[Encoded], options: RecordOptions) -> None:
    """Record, and let go of every trace."""
    for _trace in record_batches(model, batch, options):
        pass


def one_prompt(model: LoadedModel, n_tokens: int) -> Encoded:
    """A prompt of a number of tokens."""
    ids = model.tokenizer(TEXT)["input_ids"][:n_tokens]
    return encoded(model, Prompt(f"of_{n_tokens}", model.tokenizer.decode(ids)))


def rows(costs: Iterable[Costs]) -> list[Row]:
    """One prompt at a time, over all lengths and numbers of threads: the CPU time of recording by that of the bare."""
    alone = [own for own in costs if own.alone]
    found = []
    for mode in MODES:
        ratios = [own.ratio(mode, "cpu") for own in alone]
        measured = f"{min(ratios):.2f} to {max(ratios):.2f}×"
        found.append(Row(f"record {mode} vs. bare pass, one at a time", f"≤ {MOST:g}×", measured, max(ratios) <= MOST))
    return found


def cells(costs: Iterable[Costs]) -> list[list[str]]:
    """The table of all ratios, with its head."""
    head = ["prompts", "threads", "bare pass, CPU"]
    head += [f"{mode}, {clock}" for clock in ("CPU", "clock") for mode in MODES]
    found = [head]
    for own in costs:
        ratios = [f"{own.ratio(mode, clock):.2f}×" for clock in ("cpu", "wall") for mode in MODES]
        found.append([own.prompts, str(own.threads), f"{own.bare_ms:.0f} ms", *ratios])
    return found


def table(costs: Iterable[Costs]) -> str:
    """Markdown."""
    head, *body = cells(costs)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


def write(costs: Iterable[Costs], rounds: int, path: Path) -> None:
    """The table for docs/performance.md, with the machine and the day."""
    facts = {"machine": machine(), "date": datetime.date.today().isoformat(), "rounds": rounds, "rows": cells(costs)}
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=200, default_flow_style=None)
    path.write_text(HEAD + text, encoding="utf-8")


def main() -> None:
    """Measure, print the table, and write it if asked to."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15, help="rounds per comparison")
    arguments.add_argument("--write", type=Path, help="also write the table to this YAML file")
    given = arguments.parse_args()
    costs = measure(given.rounds)
    if given.write:
        write(costs, given.rounds, given.write)
    print(table(costs))


if __name__ == "__main__":
    main()
