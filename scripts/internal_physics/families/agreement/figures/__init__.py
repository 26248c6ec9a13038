"""Figures of the agreement with a reference."""
