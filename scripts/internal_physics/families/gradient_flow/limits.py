"""Limits within which the metrics of this family are defined. No heavy imports."""

MIN_PROMPTS_ISF = 3  # a spectrum over prompts
