"""Figures of the experiment `grammar`."""
