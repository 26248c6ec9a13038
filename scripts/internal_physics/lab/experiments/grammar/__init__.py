"""Strings of a grammar: what a model knows of the tree above them, and which attention it needs."""
