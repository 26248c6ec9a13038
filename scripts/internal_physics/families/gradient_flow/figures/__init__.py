"""Figures of the gradient flow."""
