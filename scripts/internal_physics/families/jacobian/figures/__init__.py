"""Figures of the local linear maps of blocks."""
