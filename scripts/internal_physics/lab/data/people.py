"""People with unique names and independent attributes, drawn from pools; the same for the same seed on any machine.

The first n people are the same however many are drawn, and each attribute has draws of its own.
"""

from dataclasses import dataclass

import numpy as np

from internal_physics.ground.errors import UserError
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.distinct import first_distinct
from internal_physics.lab.data.pools import Pools

MOST_OF_THE_NAMES = 0.5  # that may be used, so that drawing again ends soon


@dataclass(frozen=True, repr=False)
class People:
    """Indices into the lists of the pools, one for each person.

    Attributes:
        pools: what they were drawn from.
        first, middle, last: int64 [n], the parts of the name; no two people share all three.
        pronoun: int64 [n], 0 or 1.
        month, day, year: int64 [n], of birth.
        city, university, major, employer: int64 [n].
    """

    pools: Pools
    first: np.ndarray
    middle: np.ndarray
    last: np.ndarray
    pronoun: np.ndarray
    month: np.ndarray
    day: np.ndarray
    year: np.ndarray
    city: np.ndarray
    university: np.ndarray
    major: np.ndarray
    employer: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def __repr__(self) -> str:
        """How many, and what they were drawn from; in full it would fill pages."""
        return f"People({len(self):,} people, {self.pools!r})"

    @property
    def employer_city(self) -> np.ndarray:
        """int64 [n]: the city of each person's employer."""
        return np.asarray(self.pools.city_of_employer, dtype=np.int64)[self.employer]

    def values(self) -> np.ndarray:
        """int64 [n, 6]: the value of each attribute; a date is (month · days + day) · years + year."""
        pools = self.pools
        dates = (self.month * len(pools.days) + self.day) * len(pools.years) + self.year
        return np.stack(
            [dates, self.city, self.university, self.major, self.employer, self.employer_city], axis=1
        )  # in the order of ATTRIBUTES

    def first_values(self) -> np.ndarray:
        """int64 [n, 6]: as `values`, but of the date only the month, its first word."""
        return np.concatenate([self.month[:, None], self.values()[:, 1:]], axis=1)


def require_names(n: int, pools: Pools, where: str) -> None:
    """Refuse more people than can be named.

    Args:
        n: people.
        pools: with the names.
        where: the option with the number of people, for the message.

    Raises:
        UserError: for fewer than one person, no whole number, or more than half as many as there are full names.
    """
    if not isinstance(n, int | np.integer) or not 1 <= n <= MOST_OF_THE_NAMES * pools.n_names:
        raise UserError(
            f"{n!r} people cannot be drawn",
            where=where,
            expected=f"a whole number, 1 to {int(MOST_OF_THE_NAMES * pools.n_names)}: at most half of the full names",
            todo="draw fewer people, or give longer lists of names",
        )


def draw_people(n: int, pools: Pools, seed: int) -> People:
    """Draw n people.

    Raises:
        UserError: for fewer than one person, or more than half as many as there are full names.
    """
    require_names(n, pools, "n")
    codes = first_distinct(n, pools.n_names, generator(seed, "names"))
    rest, last = np.divmod(codes, len(pools.last))
    first, middle = np.divmod(rest, len(pools.middle))

    def one_of(size: int, purpose: str) -> np.ndarray:
        return generator(seed, purpose).integers(0, size, size=n)

    return People(
        pools=pools,
        first=first,
        middle=middle,
        last=last,
        pronoun=one_of(2, "pronoun"),
        month=one_of(len(pools.months), "month"),
        day=one_of(len(pools.days), "day"),
        year=one_of(len(pools.years), "year"),
        city=one_of(len(pools.cities), "city"),
        university=one_of(len(pools.universities), "university"),
        major=one_of(len(pools.majors), "major"),
        employer=one_of(len(pools.employers), "employer"),
    )
