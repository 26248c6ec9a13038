"""What people are drawn from: lists of words for every part of a name and every attribute, and the sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from internal_physics.ground.errors import UserError
from internal_physics.lab.data import sentences, word_lists

ATTRIBUTES = ("birth_date", "birth_city", "university", "major", "employer", "employer_city")
N_DAYS = 28  # of every month, so that day and month are independent
FIRST_YEAR = 1900


@dataclass(frozen=True, repr=False)
class Pools:
    """Lists that people and their biographies are drawn from.

    Attributes:
        first, middle, last: names; a full name is one of each.
        months: in their order.
        days, years: as words.
        cities, universities, majors, employers: values of the attributes.
        employer_cities: names of the cities of employers.
        city_of_employer: for each employer, the index of its city in `employer_cities`.
        pronouns: two subjects that stand for a person.
        templates: attribute -> its templates: the words between subject and value, and those after the value.
        date: how month, day and year become one value.
    """

    first: Sequence[str]
    middle: Sequence[str]
    last: Sequence[str]
    months: Sequence[str]
    days: Sequence[str]
    years: Sequence[str]
    cities: Sequence[str]
    universities: Sequence[str]
    majors: Sequence[str]
    employers: Sequence[str]
    employer_cities: Sequence[str]
    city_of_employer: Sequence[int]
    pronouns: tuple[str, str]
    templates: Mapping[str, Sequence[tuple[str, str]]]
    date: str = "{month} {day}, {year}"

    def __repr__(self) -> str:
        """How many names and values, not all lists."""
        return f"Pools({self.n_names:,} full names, {self.n_values:,} combinations of values)"

    @property
    def n_names(self) -> int:
        """How many full names there are (N0)."""
        return len(self.first) * len(self.middle) * len(self.last)

    @property
    def n_values(self) -> int:
        """How many combinations of independent values there are (S0): all attributes and the pronoun, without the
        employer's city, which follows from the employer.
        """
        n_dates = len(self.months) * len(self.days) * len(self.years)
        lists = (self.pronouns, self.cities, self.universities, self.majors, self.employers)
        total = n_dates
        for values in lists:
            total *= len(values)
        return total

    @property
    def templates_of_attribute(self) -> int:
        """How many templates each attribute has."""
        return len(self.templates[ATTRIBUTES[0]])

    def __post_init__(self) -> None:
        """Check the lists against each other.

        Raises:
            UserError: for a list with a word twice, an attribute without templates, attributes with different
                numbers of them, or employers that do not each have one of the cities.
        """
        for name in ("first", "middle", "last", "months", "days", "years", "cities", "universities", "majors"):
            _require_distinct(name, getattr(self, name))
        _require_distinct("employers", self.employers)
        _require_distinct("employer_cities", self.employer_cities)
        if {*self.templates} != {*ATTRIBUTES} or len({len(given) for given in self.templates.values()}) != 1:
            raise UserError(
                "the templates do not fit the attributes",
                where="templates",
                expected=f"as many, at least one, for each of {', '.join(ATTRIBUTES)}",
                todo="give every attribute the same number of templates",
            )
        cities = set(self.city_of_employer)
        if len(self.city_of_employer) != len(self.employers) or not cities <= set(range(len(self.employer_cities))):
            raise UserError(
                "the cities of the employers do not fit the employers",
                where="city_of_employer",
                expected="for each employer, the index of one of `employer_cities`",
                todo="give one index for each employer",
            )


def _require_distinct(name: str, words: Sequence[str]) -> None:
    if not words or len(set(words)) != len(words):
        raise UserError(
            "the list is empty or has a word twice",
            where=name,
            expected="at least one word, and no word twice",
            todo="remove what is double",
        )


@cache
def natural_pools() -> Pools:
    """English biographies of the sizes of bioS; 1.6e8 full names, 200 years of birth."""
    cities = word_lists.cities()
    return Pools(
        first=word_lists.first_names(),
        middle=word_lists.middle_names(),
        last=word_lists.last_names(),
        months=word_lists.months(),
        days=_numbers(1, N_DAYS),
        years=_numbers(FIRST_YEAR, 200),
        cities=cities,
        universities=word_lists.universities(),
        majors=word_lists.majors(),
        employers=word_lists.employers(),
        employer_cities=cities[: word_lists.N_EMPLOYER_CITIES],
        city_of_employer=word_lists.employer_cities(),
        pronouns=("He", "She"),
        templates=sentences.templates(),
    )


@cache
def symbolic_pools(words_of_places: int = 1) -> Pools:
    """Biographies of single words, small enough for two CPU cores: 216,000 names, values of one word (a date of three).

    A word says what it is and its number: first17, city3. Each attribute has 20 templates of two words of its own.

    Args:
        words_of_places: words of cities, universities and employers, such as "city3 city3-2 city3-3", each of which
            tells the others.
    """

    def places(kind: str, n: int) -> tuple[str, ...]:
        return tuple(" ".join(_words(word, words_of_places)) for word in _named(kind, n))

    n_cities = 20
    return Pools(
        first=_named("first", 60),
        middle=_named("middle", 60),
        last=_named("last", 60),
        months=_named("month", 12),
        days=_named("day", N_DAYS),
        years=_named("year", 50),
        cities=places("city", 50),
        universities=places("university", 50),
        majors=_named("major", 25),
        employers=places("employer", 40),
        employer_cities=places("seat", n_cities),
        city_of_employer=tuple(7 * employer % n_cities for employer in range(40)),
        pronouns=("he", "she"),
        templates={name: _symbolic_templates(name) for name in ATTRIBUTES},
        date="{month} {day} {year}",
    )


def _symbolic_templates(attribute: str) -> tuple[tuple[str, str], ...]:
    """20 of the pairs of 25 words that belong to the attribute alone; no pair twice."""
    pairs = ((number, (7 * number + 3) % 25) for number in range(20))
    return tuple((f"{attribute}-{first} {attribute}-{second}", "") for first, second in pairs)


def _named(kind: str, n: int) -> tuple[str, ...]:
    return tuple(f"{kind}{number}" for number in range(n))


def _words(word: str, n: int) -> tuple[str, ...]:
    return (word, *(f"{word}-{number}" for number in range(2, n + 1)))


def _numbers(first: int, n: int) -> tuple[str, ...]:
    return tuple(str(first + number) for number in range(n))
