"""Pairs: every two models on the same prompts."""
