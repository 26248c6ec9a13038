"""Names of models, prompt sets, conditions and prompts: they name files and appear in tables."""

import re

BASELINE = "baseline"  # the condition without an intervention
MASK = "[MASK]"  # how a prompt writes the gap, whatever the mask token of the tokenizer
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
WHAT_A_NAME_IS = "letters, digits, '.', '_' and '-', starting with a letter or digit"
