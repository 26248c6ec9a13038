"""Synthetic people of Allen-Zhu and Li (2024), bioD(N, K, C, D, L, T): every bit of the data is known.

Each of K attributes has a set of D different strings of L out of T tokens. A person's value is C of them. A name is a
few tokens out of a pool of their own. A text says the name and then all attributes in random order.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from internal_physics.config.options.lab_bio_d import BioDSizes
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.distinct import first_distinct, first_distinct_rows
from internal_physics.lab.data.vocabulary import END_ID, Vocabulary

DOMAIN = "<domain>"


@dataclass(frozen=True, repr=False)
class BioD:
    """People of bioD.

    Attributes:
        sizes: of the data.
        names: int64 [N], which of the N0 names; all different.
        seed: of the draws.
        strings: int64 [K, D, L], the tokens of each attribute's strings, 0..T - 1.
        values: int64 [N, K, C], which strings a person's value is made of.
    """

    sizes: BioDSizes
    seed: int
    names: np.ndarray
    strings: np.ndarray
    values: np.ndarray

    def __repr__(self) -> str:
        """Its sizes and seed, not all people."""
        return f"BioD({self.sizes!r}, seed={self.seed})"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The domain token, the attributes' words, the tokens of names, the tokens of values."""
        sizes = self.sizes
        counts = (("attribute", sizes.attributes), ("name", sizes.name_pool), ("value", sizes.value_tokens))
        return Vocabulary.of([DOMAIN, *(f"{kind}{number}" for kind, n in counts for number in range(n))])

    @cached_property
    def _first_ids(self) -> tuple[int, int, int]:
        """The ids of the first attribute's word, of the first token of names, and of values."""
        attribute, name, value = self.vocabulary.ids(["attribute0", "name0", "value0"])
        return int(attribute), int(name), int(value)

    @cached_property
    def _domain_id(self) -> int:
        return int(self.vocabulary.ids([DOMAIN])[0])

    @cached_property
    def _places(self) -> np.ndarray:
        """[name_tokens]: names are numbers whose digits are tokens."""
        return self.sizes.name_pool ** np.arange(self.sizes.name_tokens)

    def rows(
        self, names: np.ndarray, values: np.ndarray, draws: np.random.Generator, *, domain: bool = False
    ) -> np.ndarray:
        """Texts, one row each, with the attributes in a random order.

        Args:
            names: int64 [n], numbers of names.
            values: int64 [n, K, C], numbers of strings.
            draws: for the orders.
            domain: whether the domain token stands after <eos>.

        Returns:
            int64 [n, 1 + domain + name_tokens + K (1 + C L)] ids.
        """
        sizes, (attribute_id, name_id, value_id) = self.sizes, self._first_ids
        n = len(names)
        digits = names[:, None] // self._places % sizes.name_pool
        order = draws.random((n, sizes.attributes)).argsort(axis=1)
        chosen = np.take_along_axis(values, order[:, :, None], axis=1)
        tokens = self.strings[order[:, :, None], chosen].reshape(n, sizes.attributes, -1)
        said = np.concatenate([order[:, :, None] + attribute_id, tokens + value_id], axis=2).reshape(n, -1)
        head = np.full((n, 1 + domain), END_ID)
        head[:, 1:] = self._domain_id
        return np.concatenate([head, digits + name_id, said], axis=1)

    def of_people(self, persons: np.ndarray, draws: np.random.Generator, *, domain: bool = False) -> np.ndarray:
        """Texts of people (int64 [n] indices); as `rows`."""
        return self.rows(self.names[persons], self.values[persons], draws, domain=domain)

    def of_strangers(self, n: int, draws: np.random.Generator, *, domain: bool = False) -> np.ndarray:
        """Texts of junk: a name that no person has and values of this moment, all drawn anew; n rows as in `rows`."""
        names = draws.integers(0, self.sizes.n_names, size=n)
        while (taken := np.isin(names, self.names)).any():
            names[taken] = draws.integers(0, self.sizes.n_names, size=int(taken.sum()))
        values = draws.integers(0, self.sizes.diversity, size=(n, self.sizes.attributes, self.sizes.chunks))
        return self.rows(names, values, draws, domain=domain)

    def names_of_strangers(self, n: int) -> np.ndarray:
        """Names that no person has, int64 [n], all different and always the same.

        Raises:
            ConfigError: if people and strangers are more than three quarters of the names.
        """
        require_strangers(self.sizes, n)
        n_people = self.sizes.people
        return _names(n_people + n, self.sizes, self.seed)[n_people:]

    def text(self, person: int, draws: np.random.Generator) -> str:
        """A text in words: "<name>'s ID 7 is v1 v2. Her ID 2 is …", in a random order of attributes."""
        sizes = self.sizes
        digits = self.names[person] // self._places % sizes.name_pool
        name = " ".join(f"name{digit}" for digit in digits)
        sentences = []
        for number, attribute in enumerate(draws.permutation(sizes.attributes)):
            tokens = self.strings[attribute, self.values[person, attribute]].reshape(-1)
            value = " ".join(f"value{token}" for token in tokens)
            sentences.append(f"{'Her' if number else name + chr(39) + 's'} ID {attribute} is {value}.")
        return " ".join(sentences)


def require_strangers(sizes: BioDSizes, n: int) -> None:
    """Refuse more strangers than can be named beside the people.

    Args:
        sizes: of the data.
        n: strangers.

    Raises:
        ConfigError: if people and strangers are more than three quarters of the names.
    """
    if 4 * (sizes.people + n) > 3 * sizes.n_names:
        raise ConfigError(
            f"{sizes.people} people and {n} strangers for {sizes.n_names} names",
            where="sizes",
            expected="at most three quarters of the names",
            todo="take a larger name_pool or more name_tokens",
        )


def draw_bio_d(sizes: BioDSizes, seed: int) -> BioD:
    """Draw people of bioD."""
    shape = (sizes.people, sizes.attributes, sizes.chunks)
    return BioD(
        sizes=sizes,
        seed=seed,
        names=_names(sizes.people, sizes, seed),
        strings=_strings(sizes, seed),
        values=generator(seed, "bioD values").integers(0, sizes.diversity, size=shape),
    )


def _names(n: int, sizes: BioDSizes, seed: int) -> np.ndarray:
    return first_distinct(n, sizes.n_names, generator(seed, "bioD names"))


def _strings(sizes: BioDSizes, seed: int) -> np.ndarray:
    """Strings [K, D, L]: for each attribute D different strings; all there are, in their order, where D is all."""
    if sizes.diversity == sizes.n_strings:
        places = sizes.value_tokens ** np.arange(sizes.chunk_tokens)
        every = np.arange(sizes.n_strings)[:, None] // places % sizes.value_tokens
        return np.tile(every, (sizes.attributes, 1, 1))
    numbers = (sizes.diversity, sizes.value_tokens, sizes.chunk_tokens)
    return np.stack(
        [first_distinct_rows(*numbers, generator(seed, "bioD strings", str(a))) for a in range(sizes.attributes)]
    )
