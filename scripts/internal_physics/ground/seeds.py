"""Seeds that belong to a name, so that what is drawn for one thing does not depend on what came before it."""

import hashlib


def seed_of(seed: int, *names: str) -> int:
    """A seed of its own for whatever the names stand for, 0 to 2^64-1, from the run's seed and the names alone."""
    return int.from_bytes(hashlib.sha256("\n".join([str(seed), *names]).encode()).digest()[:8], "big")
