"""Benchmarks: measured ratios against naive baselines of our own, in one run. `make bench` prints the table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
