"""Figures drawn once from made-up tables."""

from drawn_figures import drawn, tables

__all__ = ["drawn", "tables"]
