"""Intervals, correlations and tests: pure functions on arrays; every random draw is seeded."""
