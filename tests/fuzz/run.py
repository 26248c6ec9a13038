"""Try many more damaged files than the tests: `python tests/fuzz/run.py N [KIND …]` prints the outcomes of each
kind."""

import collections
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts"), *(str(ROOT / "tests" / name) for name in ("fuzz", "support", "."))]


def run(kind, n_examples):
    """Outcomes of one kind: how many of each, and one traceback for each place that raised anything but a UserError."""
    from fuzz_kinds import outcome, strategy
    from hypothesis import HealthCheck, Phase, given, settings

    counts, faults = collections.Counter(), {}
    with tempfile.TemporaryDirectory() as scratch:
        path = kind.make(Path(scratch))

        @settings(
            max_examples=n_examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy(kind, path.read_bytes()))
        def try_all(damaged):
            try:
                counts[outcome(kind, path, damaged)] += 1
            except Exception as error:  # noqa: BLE001  (all are counted)
                counts["fault"] += 1
                place = traceback.extract_tb(error.__traceback__)[-1]
                faults.setdefault((type(error).__name__, place.filename, place.lineno), (error, damaged))

        try_all()
    return counts, faults


def main(n_examples, names):
    """Print a line for each kind, then its faults."""
    from kinds import KINDS

    for kind in KINDS:
        if names and kind.name not in names:
            continue
        counts, faults = run(kind, n_examples)
        print(
            f"| {kind.name} | {sum(counts.values())} | {counts['result']} | {counts['refused']} | {counts['fault']} |"
        )
        for error, damaged in faults.values():
            print("".join(traceback.format_exception(error)[-4:]), damaged[:1500], flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
