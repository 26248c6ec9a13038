"""Figures of the experiment `reasoning`."""
