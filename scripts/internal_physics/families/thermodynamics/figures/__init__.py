"""Figures of the thermodynamics of the weights."""
