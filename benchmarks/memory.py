"""Row 4 of the table: peak memory above the loaded weights. Each contestant runs in a process of its own."""

import json
import subprocess
import sys

from benchmarks.harness import PeakMemory, Row
from benchmarks.subjects import ROOT


def rows() -> list[Row]:
    """Record one prompt of about 24 tokens, and for comparison take dense gradients of it."""
    found = {mode: _in_own_process(mode) for mode in ("record", "usual")}
    weights = found["record"]["weights"]
    share, dense = (found[mode]["above"] / weights for mode in ("record", "usual"))
    return [
        Row(
            "peak memory above the weights, float32, T ≈ 24 (share of the weights)",
            "≤ 0.15×",
            f"{share:.2f}×",
            share <= 0.15,
        ),
        Row("the same for the usual backward, for comparison", "", f"{dense:.2f}×", True),
    ]


def _in_own_process(mode: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", mode],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _measure(mode: str) -> dict[str, int]:
    from benchmarks.recording import ALONE, record
    from benchmarks.subjects import load, prompts, usual_backward

    model = load()
    batch = [max(prompts(model, "difficulty_spectrum", 5), key=lambda e: len(e.ids))]
    weights = sum(p.numel() * p.element_size() for p in model.module.parameters())
    with PeakMemory() as memory:
        record(model, batch, ALONE) if mode == "record" else usual_backward(model, batch)
    return {"above": memory.above, "weights": weights}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1])))
