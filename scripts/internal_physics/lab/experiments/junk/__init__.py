"""Junk: what texts of no use do to what is learned of others, and how a domain token repairs it."""
