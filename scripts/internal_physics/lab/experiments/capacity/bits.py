"""How many bits a data set holds, and how many of them a model has stored (Allen-Zhu and Li 2024, section 2 and 4).

N people with names out of N0; K attributes; a value is C chunks, each one of D strings of L out of T tokens.
Losses are in nats, summed over the tokens of a name or a value. No component is cut off at zero: a model that is worse
than a guess has negative bits, and its row says so.
"""

import math
from dataclasses import dataclass

LN2 = math.log(2.0)
_FACTORS = 10**6  # that are multiplied one by one; beyond, the gamma function is accurate enough and faster


@dataclass(frozen=True)
class Bits:
    """Bits of one data set, or of what a model knows of it, by component.

    Attributes:
        name: which N of the N0 names there are.
        value: the values of all people.
        diversity: which D strings the values are made of.
    """

    name: float
    value: float
    diversity: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the components."""
        return self.name + self.value + self.diversity


@dataclass(frozen=True)
class DataCounts:
    """Counts of a data set of people.

    Attributes:
        people: N.
        names: N0, names that are possible.
        values: S0, values that a person can have, all attributes together; D^(C K) of bioD.
        attributes: K.
        diversity: D.
        strings: T^L, strings that are possible.
        has_free_strings: whether the strings of each attribute are part of what is learned. Not in bioS, whose lists
            are given, and not where D = T^L.
    """

    people: int
    names: int
    values: int
    attributes: int = 1
    diversity: int = 1
    strings: int = 1
    has_free_strings: bool = False


def bio_d_counts(
    *, people: int, names: int, attributes: int, chunks: int, diversity: int, chunk_tokens: int, value_tokens: int
) -> DataCounts:
    """Counts of bioD(N, K, C, D, L, T)."""
    strings = value_tokens**chunk_tokens
    return DataCounts(
        people, names, diversity ** (chunks * attributes), attributes, diversity, strings, diversity < strings
    )


def bits_of_data(counts: DataCounts) -> Bits:
    """Upper bound of the bits in the data (proposition 2.3): a choice of names, of values, of strings."""
    strings = counts.attributes * log2_binomial(counts.strings, counts.diversity) if counts.has_free_strings else 0.0
    return Bits(
        name=log2_binomial(counts.names, counts.people),
        value=counts.people * math.log2(counts.values),
        diversity=strings,
    )


def most_bits(counts: DataCounts) -> Bits:
    """Bits of a model that knows everything, in the approximation that the capacity ratio uses (Rmax · parameters)."""
    return Bits(
        name=counts.people * math.log2(counts.names / counts.people),
        value=counts.people * math.log2(counts.values),
        diversity=_diversity_bits(counts, first_chunk_nats=0.0),
    )


def bits_learned(
    counts: DataCounts, *, name_nats: float, value_nats: float, first_chunk_nats: float | None = None
) -> Bits:
    """Lower bound of the bits that a model holds (R · parameters), by component.

    Args:
        counts: of the data.
        name_nats: p1, mean over people of the loss summed over the name's tokens; ln N at best.
        value_nats: mean over people of the loss summed over the tokens of all of the person's values (K · p2); 0 at
            best.
        first_chunk_nats: p3, mean over people and attributes of the loss summed over a value's first chunk; only
            where strings are part of what is learned.
    """
    people = counts.people
    return Bits(
        name=people * (math.log2(counts.names) - name_nats / LN2),
        value=people * (math.log2(counts.values) - value_nats / LN2),
        diversity=_diversity_bits(counts, first_chunk_nats or 0.0),
    )


def _diversity_bits(counts: DataCounts, first_chunk_nats: float) -> float:
    if not counts.has_free_strings:
        return 0.0
    per_string = math.log2(counts.strings / counts.diversity) - first_chunk_nats / LN2
    return counts.attributes * counts.diversity * per_string


def log2_binomial(n: int, k: int) -> float:
    """log2 of the number of ways to choose k of n; 0 for k = 0 and k = n.

    Raises:
        ValueError: unless 0 ≤ k ≤ n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} cannot be chosen")
    k = min(k, n - k)
    if k <= _FACTORS:
        return sum(math.log2((n - i) / (i + 1)) for i in range(k))
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / LN2


def published_notes_bits(
    *, people: int, names: int, attributes: int, chunks: int, diversity: int, chunk_tokens: int, value_tokens: int
) -> float:
    """WRONG: a garbled formula that notes on the paper give; shown beside the right one, and used for nothing.

    log2 binom(N0, N) + N K log2 C + K log2 D + K log2 binom(T, L). It takes C for the number of values, counts a
    term of D that is not there, and chooses L tokens where D strings are chosen.
    """
    return (
        log2_binomial(names, people)
        + people * attributes * math.log2(chunks)
        + attributes * math.log2(diversity)
        + attributes * log2_binomial(value_tokens, chunk_tokens)
    )
