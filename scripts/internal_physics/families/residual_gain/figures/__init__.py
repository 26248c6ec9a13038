"""Figures of the residual gain."""
