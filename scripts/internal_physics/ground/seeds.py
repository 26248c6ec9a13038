"""Seeds derived from names, so that the draws for one item do not depend on those for others."""

import hashlib


def seed_of(seed: int, *names: str) -> int:
    """A seed, 0 to 2^64-1, that depends only on the run's seed and the given names."""
    return int.from_bytes(hashlib.sha256("\n".join([str(seed), *names]).encode()).digest()[:8], "big")
