"""Figures of the information per layer."""
