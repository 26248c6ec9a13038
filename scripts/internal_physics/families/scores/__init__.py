"""Scores: the tables that all metrics share, their normalization and their correlations."""
