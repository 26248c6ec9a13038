"""Figures of the comparison of conditions."""
