"""Figures of pairs of models."""
