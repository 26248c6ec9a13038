"""Families: one folder each for what a family computes, its tables, its figures and its words."""
