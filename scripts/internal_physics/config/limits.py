"""Limits that the config checks before any work and the code that they protect checks again."""

MIN_PROMPTS_ISF = 3  # a spectrum over prompts
