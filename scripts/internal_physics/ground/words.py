"""Words with numbers: one place for plural forms."""


def plural(n: int | str, noun: str) -> str:
    """A number, or a range of numbers as text, and its noun: "1 prompt", "3 prompts", "19 to 20 prompts"."""
    return f"{n} {noun}{'' if str(n) == '1' else 's'}"
