"""Names of the quantities that follow a chosen token along depth: its probability at every layer."""

WATCHED = "probability of "


def watched_quantity(token: str) -> str:
    """Name of the quantity that follows a watched token: `probability of ' happy'`."""
    return f"{WATCHED}{token!r}"
