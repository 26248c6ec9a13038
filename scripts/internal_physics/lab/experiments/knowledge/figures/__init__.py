"""Figures of the experiment `knowledge`."""
