"""Gradient flow: the Internal Physics Benchmark (EC, ISC, ISG, ISA, ISF)."""
