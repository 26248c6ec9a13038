"""Why recording costs what it does: parts of it are added to a bare pass one by one, and products of norms run alone.

`python -m benchmarks.recording_causes` prints two tables for docs/performance.md, of one prompt on one thread.
"""

import argparse
import statistics
from collections.abc import Callable, Iterable

import torch
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.plain_maps import Forward, PlainMap, caught
from internal_physics.recording.recorder import RecordOptions, wiring_of
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from benchmarks.harness import Cost, alternate_costs
from benchmarks.recording_cost import one_prompt, record_all
from benchmarks.subjects import bare_pass, load

_FACTORS = RecordOptions(weight_gradients="factors", batch_size=1)
_NORMS = RecordOptions(weight_gradients="norms", batch_size=1)


def passes(model: LoadedModel, e: Encoded, rounds: int) -> dict[str, list[Cost]]:
    """Costs of bare passes that do more and more of what a recorder must, up to recording itself."""
    steps: dict[str, Callable[[], object]] = {
        "bare pass": lambda: bare_pass(model, [e]),
        "linear maps run by a Python function": lambda: _kept(model, e, inputs=False, gradients=False),
        "and their inputs are kept": lambda: _kept(model, e, inputs=True, gradients=False),
        "and the gradients of their outputs": lambda: _kept(model, e, inputs=True, gradients=True),
        "recording factors": lambda: record_all(model, [e], _FACTORS),
        "recording norms": lambda: record_all(model, [e], _NORMS),
    }
    return alternate_costs(steps, rounds)


def _kept(model: LoadedModel, e: Encoded, *, inputs: bool, gradients: bool) -> None:
    """A bare pass that keeps inputs of plain maps, and gradients of their outputs, and does nothing with them."""
    kept: list[torch.Tensor] = []
    edges: list[GradientEdge] = []

    def forward_of(plain: PlainMap) -> Forward:
        def forward(input: torch.Tensor) -> torch.Tensor:  # nn.Linear's own name
            output = functional.linear(input, plain.weight, plain.module.bias)
            if inputs:
                kept.append(input.detach())
            if gradients and output.grad_fn is not None:
                edges.append(GradientEdge(output.grad_fn, 0))
            return output

        return forward

    with caught(wiring_of(model, _FACTORS).plain, forward_of):
        bare_pass(model, [e], caught=edges)


def products(model: LoadedModel, n_tokens: int, rounds: int) -> dict[str, list[Cost]]:
    """Costs of what norms multiply for all plain maps of a pass: again and again the same rows, or all one by one."""
    shapes = [plain.map.shape for plain in wiring_of(model, _FACTORS).plain]
    widths = [n for n_out, n_in in shapes for n in (n_out, n_in)]
    own = [torch.randn(n_tokens, n) for n in widths]
    of_width = {n: torch.randn(n_tokens, n) for n in widths}
    few = [of_width[n] for n in widths]
    runs = {"rows in the cache": lambda: _multiply(few), "rows out of it": lambda: _multiply(own)}
    runs["rows out of it, only converted"] = lambda: _convert(own)
    return alternate_costs(runs, rounds)


def _multiply(rows: Iterable[torch.Tensor]) -> None:
    for given in rows:
        wide = given.double()
        torch.mm(wide, wide.t())


def _convert(rows: Iterable[torch.Tensor]) -> None:
    for given in rows:
        given.double()


def _print(costs: dict[str, list[Cost]]) -> None:
    """Milliseconds of CPU time, and the median of ratios to the first contestant of the same round."""
    first = next(iter(costs.values()))
    for name, own in costs.items():
        ratio = statistics.median(one.cpu / other.cpu for one, other in zip(own, first, strict=True))
        print(f"| {name} | {1e3 * statistics.median(cost.cpu for cost in own):.1f} ms | {ratio:.3f}x |")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=21, help="rounds per comparison")
    arguments.add_argument("--tokens", type=int, default=20, help="of the prompt")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    model = load()
    _print(passes(model, one_prompt(model, given.tokens), given.rounds))
    _print(products(model, given.tokens, given.rounds))


if __name__ == "__main__":
    main()
