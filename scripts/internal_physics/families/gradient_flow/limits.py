"""What the metrics of this family need to be defined. No heavy imports."""

MIN_PROMPTS_ISF = 3  # a spectrum over prompts
