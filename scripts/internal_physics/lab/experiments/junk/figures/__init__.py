"""Figures of the experiment `junk`."""
