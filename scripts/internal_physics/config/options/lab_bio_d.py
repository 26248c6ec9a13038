"""Sizes of the synthetic people of the lab's experiments `capacity` and `junk`. No heavy imports."""

from dataclasses import dataclass

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.options import Count


@dataclass(frozen=True)
class BioDSizes:
    """Sizes of bioD(N, K, C, D, L, T) by Allen-Zhu and Li (2024).

    Attributes:
        people: N.
        attributes: K.
        chunks: C, chunks of each value.
        diversity: D, strings that a chunk is drawn from.
        chunk_tokens: L, tokens of a chunk.
        value_tokens: T, different tokens of values.
        name_pool: different tokens of names.
        name_tokens: tokens of a name; there are name_pool ** name_tokens names (N0).
    """

    people: Count = 200
    attributes: Count = 4
    chunks: Count = 1
    diversity: Count = 64
    chunk_tokens: Count = 1
    value_tokens: Count = 64
    name_pool: Count = 160
    name_tokens: Count = 2

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: if there are too few names or strings.
        """
        if min(vars(self).values()) < 1:
            raise ConfigError("a size is below 1", where="sizes", expected="sizes of 1 or more", todo="correct it")
        if 2 * self.people > self.n_names:
            raise ConfigError(
                f"{self.people} people for {self.n_names} names",
                where="sizes → people",
                expected="at most half as many people as names",
                todo="take a larger name_pool or more name_tokens",
            )
        if self.diversity > self.n_strings:
            raise ConfigError(
                f"{self.diversity} different strings, but only {self.n_strings} are possible",
                where="sizes → diversity",
                expected="at most value_tokens ** chunk_tokens",
                todo="take more value_tokens or chunk_tokens",
            )

    @property
    def n_names(self) -> int:
        """N0."""
        return self.name_pool**self.name_tokens

    @property
    def n_strings(self) -> int:
        """T^L, strings of a chunk that are possible."""
        return self.value_tokens**self.chunk_tokens

    @property
    def in_formulas(self) -> dict[str, int]:
        """The sizes that formulas of bits take, by the names of their arguments."""
        taken = ("people", "attributes", "chunks", "diversity", "chunk_tokens", "value_tokens")
        return {"names": self.n_names} | {name: getattr(self, name) for name in taken}

    @property
    def attribute_tokens(self) -> int:
        """Tokens of an attribute in a text: its word, then its value."""
        return 1 + self.chunks * self.chunk_tokens


SIZES = BioDSizes()
