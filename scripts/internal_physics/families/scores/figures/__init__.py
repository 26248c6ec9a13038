"""Figures of the scores of all metrics."""
