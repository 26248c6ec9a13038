"""The columns that say what a row is about. Every list of them comes from here."""

SET_KEY = ["model", "condition", "prompt_set"]
PROMPT_KEY = [*SET_KEY, "prompt"]
PROMPT_OF_MODEL_KEY = ["model", "prompt_set", "prompt"]  # whatever the condition
