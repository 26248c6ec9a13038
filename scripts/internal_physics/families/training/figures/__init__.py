"""Figures of the family training."""
