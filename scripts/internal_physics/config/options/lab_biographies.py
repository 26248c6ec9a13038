"""How the texts of a person differ, in the lab's experiments on knowledge. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.options import Count, NaturalNumber, Range

NAME_AT_THE_END = 7  # `name_in_sentence` of a biography whose last, own sentence says the name
ORDERS = {  # the published texts name the employer before its city, the published generator the city first
    "employer_first": (0, 1, 2, 3, 4, 5),
    "city_first": (0, 1, 2, 3, 5, 4),
}
Permuted = Literal["sentences", "pairs"]
Order = Literal["employer_first", "city_first"]


@dataclass(frozen=True)
class Augmentation:
    """How many texts a person has, and how they differ.

    Attributes:
        texts: biographies of each person, each with templates of its own (multiM).
        permutations: 0 for the fixed order; else every biography is stored so many times, each in a random order.
        permuted: what is put in a random order.
            - sentences: each by itself.
            - pairs: three pairs of sentences that keep their inner order.
        full_name: whether every sentence has the full name; else all but one have the pronoun.
        name_in_sentence: 1 for the first sentence; 2 or 3 for a later one; 7 for a sentence of its own at the end.
        order: the fixed order of birth date, birth city, university, major, and then
            - employer_first: employer, employer's city.
            - city_first: employer's city, employer.
    """

    texts: Count = 1
    permutations: NaturalNumber = 0
    permuted: Permuted = "sentences"
    full_name: bool = False
    name_in_sentence: Annotated[int, Range(minimum=1, below=NAME_AT_THE_END + 1)] = 1
    order: Order = "employer_first"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: for a value that is not possible.
        """
        wrong = [
            ("texts", self.texts >= 1, "1 or more"),
            ("permutations", self.permutations >= 0, "0 or more"),
            ("permuted", self.permuted in get_args(Permuted), " or ".join(get_args(Permuted))),
            ("name_in_sentence", self.name_in_sentence in range(1, NAME_AT_THE_END + 1), f"1 to {NAME_AT_THE_END}"),
            ("order", self.order in ORDERS, " or ".join(ORDERS)),
        ]
        for name, is_right, expected in wrong:
            if not is_right:
                raise ConfigError(
                    f"{getattr(self, name)!r} is not possible",
                    where=f"augmentation.{name}",
                    expected=expected,
                    todo="choose one of these",
                )

    @property
    def texts_per_person(self) -> int:
        """How many biographies of a person are stored."""
        return self.texts * max(1, self.permutations)

    @property
    def name(self) -> str:
        """Such as multi5+permute1; single for one text in the fixed order."""
        parts = [f"multi{self.texts}" if self.texts > 1 else "single"]
        what = "" if self.permuted == "sentences" else "_pairs"
        parts += [f"permute{self.permutations}{what}"] if self.permutations else []
        parts += ["fullname"] if self.full_name else []
        parts += [f"reverse{self.name_in_sentence - 1}"] if self.name_in_sentence > 1 else []
        return "+".join(parts)


SINGLE = Augmentation()
