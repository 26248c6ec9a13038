"""Comparison: every steering condition against the baseline."""
