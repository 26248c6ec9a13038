"""Benchmarks: measured ratios against naive baselines of our own, in one run. `make bench` prints the table."""
