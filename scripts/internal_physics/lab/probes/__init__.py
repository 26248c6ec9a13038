"""Probes of frozen models: what can be read off their residuals."""
