"""Figures of the routing to experts."""
