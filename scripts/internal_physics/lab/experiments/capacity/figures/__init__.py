"""Figures of the experiment `capacity`."""
