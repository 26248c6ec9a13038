"""Figures of lab data that belong to no single experiment."""
