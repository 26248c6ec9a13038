"""Generators of training data and their exact counts; no torch, and nothing is trained."""
