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
from benchmarks.subjects import load, prompts

HEAD = "# What `make bench-peers` printed; it writes this file. Do not edit.\n"
KINDS = ("factual", "syntactic", "ambiguous", "nonsense")
N_ALONE, N_MANY = 5, 80  # prompts: one at a time, and in batches
# Contestant → who it is, what it captures, and what it does not.
STATES = {
    "bare": ("bare pass", "nothing", "everything: this is the floor"),
    "none": ("ours, `none`", "residuals, their gradients, attention entropies, prediction", "weight gradients"),
    "factors": ("ours, `factors`", "the same and every exact weight gradient", ""),
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
    ("record `none` against TransformerLens, CPU", "none", "TransformerLens", 1.0, False),
    ("sketches against bergson's index of the same size, time on the clock", "bergson", "sketches", 1.5, True),
    ("spectra against WeightWatcher, CPU", "WeightWatcher", "spectra", 5.0, True),
)
Costs = Mapping[str, Sequence[Cost]]


def main() -> None:
    """Run the three comparisons and print their tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--write", type=Path, help="also write the tables to this YAML file")
    given = arguments.parse_args()
    model = load()
    many = [e for kind in KINDS for e in prompts(model, kind, N_MANY // len(KINDS))]
    costs = {
        "states": alternate_costs(states.contestants(model, many[:N_ALONE]), given.rounds),
        "gradients": _in_turn(gradients.contestants(model, many), max(1, given.rounds // 2), warm_up=True),
        "spectra": _in_turn(spectra.contestants(model), 1, warm_up=False),
    }
    facts = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "threads": torch.get_num_threads(),
        "versions": ", ".join(f"{name} {version(name)}" for name in PEERS),
        "rounds": given.rounds,
        "states": cells(STATES, costs["states"], N_ALONE, "a prompt"),
        "gradients": cells(GRADIENTS, costs["gradients"], 1, f"{N_MANY} prompts"),
        "spectra": cells(SPECTRA, costs["spectra"], 1, "a model"),
        "bars": bars(costs["states"] | costs["gradients"] | costs["spectra"]),
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


def cells(who: Mapping[str, tuple[str, str, str]], costs: Costs, n: int, unit: str) -> list[list[str]]:
    """A table with its head: who, seconds of CPU and on the clock by `n`, what is captured and what is not."""
    found = [["who", f"CPU, {unit}", f"clock, {unit}", "captures", "does not"]]
    for key, (name, captures, lacks) in who.items():
        cpu, wall = (statistics.median(getattr(c, clock) for c in costs[key]) / n for clock in ("cpu", "wall"))
        found.append([name, f"{cpu:.3g} s", f"{wall:.3g} s", captures, lacks])
    return found


def bars(costs: Costs) -> list[list[str]]:
    """The bars, as ratios of medians over rounds of runs of the same round."""
    found = [["what", "bar", "measured", "held"]]
    for what, above, below, bar, at_least in BARS:
        clock = "wall" if "clock" in what else "cpu"
        pairs = zip(costs[above], costs[below], strict=True)
        ratio = statistics.median(getattr(a, clock) / getattr(b, clock) for a, b in pairs)
        held = ratio >= bar if at_least else ratio <= bar
        found.append([what, f"{'≥' if at_least else '≤'} {bar:g}×", f"{ratio:.2f}×", "yes" if held else "no"])
    return found


if __name__ == "__main__":
    main()
