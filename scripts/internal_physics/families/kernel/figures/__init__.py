"""Figures of the family kernel."""
