"""Words with numbers: one place for plural forms."""


def plural(n: int, noun: str) -> str:
    """The number and its noun: "1 prompt", "3 prompts"."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
