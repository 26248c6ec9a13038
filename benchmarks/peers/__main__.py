"""Measure other libraries beside ours in one process: `make bench-peers`, with --write for docs/measured/peers.yaml."""

import argparse
import datetime
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
import yaml

from benchmarks.default_run import machine
from benchmarks.harness import Cost, alternate_costs
from benchmarks.peers import gradients, spectra, states
from benchmarks.peers.attempts import Attempts
from benchmarks.subjects import load, prompts

HEAD = "# What `make bench-peers` printed; it writes this file. Do not edit.\n"
KINDS = ("factual", "syntactic", "ambiguous", "nonsense")
N_ALONE, N_MANY = 5, 80  # prompts: one at a time, and in batches
LIMIT_S = 90.0  # of one run of one contestant
# Contestant → who it is, what it captures, and what it does not.
STATES = {
    "bare": ("bare pass", "nothing", "everything: this is the floor"),
    "none": ("ours, `none`", "residuals, their gradients, attention entropies, prediction", "weight gradients"),
    "states": (
        "ours, `none`, `attention_entropy: false`",
        "residuals, their gradients, prediction",
        "weight gradients, attention",
    ),
    "factors": ("ours, `factors`", "what `none` does and every exact weight gradient", ""),
    "nnsight": ("nnsight", "residuals and their gradients", "weight gradients, attention, prediction"),
    "TransformerLens": ("TransformerLens", "residuals and their gradients", "weight gradients, attention, prediction"),
}
GRADIENTS = {
    "norms": ("ours, `norms`", "exact norms of every weight, tied ones too; residuals and gradients", "inner products"),
    "sketches": ("ours, `sketch`", "16 × 16 numbers of every weight and exact norms; residuals and gradients", ""),
    "bergson": ("bergson", "16 × 16 numbers of linear maps in the blocks", "norms, embeddings, residuals"),
}
SPECTRA = {
    "spectra": ("ours", "singular values in float64 with an error bound, tail exponents, of every weight", ""),
    "WeightWatcher": ("WeightWatcher", "singular values, tail exponents and further shape metrics", "error bounds"),
}
PEERS = ("nnsight", "transformer-lens", "weightwatcher", "bergson")
BARS = (
    ("record `none` against the bare pass, CPU", "none", "bare", 1.08, False),
    ("record `none` against nnsight, CPU", "none", "nnsight", 1.0, False),
    ("the same without attention, which nnsight does not capture either", "states", "nnsight", 1.0, False),
    ("record `none` against TransformerLens, CPU", "none", "TransformerLens", 1.0, False),
    ("sketches against bergson's index of the same size, time on the clock", "bergson", "sketches", 1.5, True),
    ("spectra against WeightWatcher, CPU", "WeightWatcher", "spectra", 5.0, True),
)
Costs = Mapping[str, Sequence[Cost]]
NOBODY: Mapping[str, str] = {}  # was stopped


def main() -> None:
    """Run the three comparisons and print their tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of one run of one contestant")
    arguments.add_argument("--write", type=Path, help="also write the tables to this YAML file")
    given = arguments.parse_args()
    model = load()
    many = [e for kind in KINDS for e in prompts(model, kind, N_MANY // len(KINDS))]
    attempts = Attempts(given.limit)
    of_states, of_gradients, of_spectra = (
        attempts.limited(runs)
        for runs in (
            states.contestants(model, many[:N_ALONE]),
            gradients.contestants(model, many),
            spectra.contestants(model),
        )
    )
    costs = attempts.finished(
        alternate_costs(of_states, given.rounds)
        | _in_turn(of_gradients, max(1, given.rounds // 2), warm_up=True)
        | _in_turn(of_spectra, 1, warm_up=False)
    )
    facts = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "threads": torch.get_num_threads(),
        "versions": ", ".join(f"{name} {version(name)}" for name in PEERS),
        "rounds": given.rounds,
        "states": cells(STATES, costs, N_ALONE, "a prompt", attempts.stopped),
        "gradients": cells(GRADIENTS, costs, 1, f"{N_MANY} prompts", attempts.stopped),
        "spectra": cells(SPECTRA, costs, 1, "a model", attempts.stopped),
        "bars": bars(costs, attempts.stopped),
    }
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=200, default_flow_style=None)
    print(text)
    if given.write:
        given.write.write_text(HEAD + text, encoding="utf-8")


def _in_turn(contestants: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool) -> dict[str, list[Cost]]:
    """Costs of runs of many seconds, among which the noise of single ones does not matter."""
    for run in contestants.values() if warm_up else ():
        run()
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            costs[name].append(Cost(time.process_time() - cpu, time.perf_counter() - wall))
    return costs


def cells(
    who: Mapping[str, tuple[str, str, str]], costs: Costs, n: int, unit: str, stopped: Mapping[str, str] = NOBODY
) -> list[list[str]]:
    """A table with its head: who, seconds of CPU and on the clock by `n`, what is captured and what is not.

    Who was stopped has why in place of its seconds.
    """
    found = [["who", f"CPU, {unit}", f"clock, {unit}", "captures", "does not"]]
    for key, (name, captures, lacks) in who.items():
        seconds = [stopped[key], ""] if key in stopped else [_median(costs[key], clock, n) for clock in ("cpu", "wall")]
        found.append([name, *seconds, captures, lacks])
    return found


def _median(costs: Sequence[Cost], clock: str, n: int) -> str:
    return f"{statistics.median(getattr(cost, clock) for cost in costs) / n:.3g} s"


def bars(costs: Costs, stopped: Mapping[str, str] = NOBODY) -> list[list[str]]:
    """The bars, as ratios of medians over rounds of runs of the same round; none where one of both was stopped."""
    found = [["what", "bar", "measured", "held"]]
    for what, above, below, bar, at_least in BARS:
        limit = f"{'≥' if at_least else '≤'} {bar:g}×"
        if why := [f"{name} {stopped[name]}" for name in (above, below) if name in stopped]:
            found.append([what, limit, "; ".join(why), "not measured"])
            continue
        clock = "wall" if "clock" in what else "cpu"
        pairs = zip(costs[above], costs[below], strict=True)
        ratio = statistics.median(getattr(a, clock) / getattr(b, clock) for a, b in pairs)
        held = ratio >= bar if at_least else ratio <= bar
        found.append([what, limit, f"{ratio:.2f}×", "yes" if held else "no"])
    return found


if __name__ == "__main__":
    main()
