"""Which sentences a biography has: for every stored text of a person the order, the templates and the subjects.

A plan is only numbers; `texts.py` makes English of it, and `symbolic.py` rows of tokens. The augmentations are those of
Allen-Zhu and Li (2023): several texts of a person with other templates (multi), in other orders (permute), with the
full name in every sentence (fullname), or with the name only later (reverse).
"""

from dataclasses import dataclass

import numpy as np

from internal_physics.ground.errors import UserError
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.people import People
from internal_physics.lab.data.pools import ATTRIBUTES

N_SENTENCES = len(ATTRIBUTES)
NAME_AT_THE_END = N_SENTENCES + 1  # `name_in_sentence` of a biography whose last, own sentence says the name
ORDERS = {  # the published texts name the employer before its city, the published generator the city first
    "employer_first": (0, 1, 2, 3, 4, 5),
    "city_first": (0, 1, 2, 3, 5, 4),
}
PERMUTED = ("sentences", "pairs")


@dataclass(frozen=True)
class Augmentation:
    """How many texts a person has, and how they differ.

    Attributes:
        texts: biographies of each person, each with templates of its own (multiM).
        permutations: 0 for the fixed order; else every biography is stored so many times, each in a random order.
        permuted: what is put in a random order: sentences, or pairs of sentences that keep their inner order.
        full_name: whether every sentence has the full name; else all but one have the pronoun.
        name_in_sentence: 1 for the first sentence; 2 or 3 for a later one; 7 for a sentence of its own at the end.
        order: the fixed order, one of ORDERS.
    """

    texts: int = 1
    permutations: int = 0
    permuted: str = "sentences"
    full_name: bool = False
    name_in_sentence: int = 1
    order: str = "employer_first"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: for a value that is not possible.
        """
        wrong = [
            ("texts", self.texts >= 1, "1 or more"),
            ("permutations", self.permutations >= 0, "0 or more"),
            ("permuted", self.permuted in PERMUTED, " or ".join(PERMUTED)),
            ("name_in_sentence", self.name_in_sentence in range(1, NAME_AT_THE_END + 1), f"1 to {NAME_AT_THE_END}"),
            ("order", self.order in ORDERS, " or ".join(ORDERS)),
        ]
        for name, is_right, expected in wrong:
            if not is_right:
                raise UserError(
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


@dataclass(frozen=True)
class Plans:
    """Biographies as numbers, one row for each.

    Attributes:
        person: int64 [n], whom it is about.
        text: int64 [n], 0..texts_per_person - 1: which of the person's biographies it is.
        order: int64 [n, 6], the attribute of each sentence (index in ATTRIBUTES).
        template: int64 [n, 6], the template of each sentence.
        has_name: bool [n, 6], whether the sentence's subject is the full name rather than the pronoun.
        ends_with_name: whether a last sentence of its own says the name.
    """

    person: np.ndarray
    text: np.ndarray
    order: np.ndarray
    template: np.ndarray
    has_name: np.ndarray
    ends_with_name: bool

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray | slice) -> "Plans":
        """The plans in the given rows."""
        return Plans(
            person=self.person[rows],
            text=self.text[rows],
            order=self.order[rows],
            template=self.template[rows],
            has_name=self.has_name[rows],
            ends_with_name=self.ends_with_name,
        )


def plan_biographies(
    people: People, augmentation: Augmentation, seed: int, persons: np.ndarray | None = None, *, part: int = 0
) -> Plans:
    """The stored biographies of people, person by person.

    Args:
        people: whom they are about.
        augmentation: how many, and how they differ.
        seed: of templates and orders. Another seed gives fresh renderings, as for texts that are never repeated.
        persons: int64 [m], indices of the people; all when not given.
        part: number of these plans where many people are planned part by part; each part has draws of its own.
    """
    chosen = np.arange(len(people)) if persons is None else np.asarray(persons, dtype=np.int64)
    repeats = max(1, augmentation.permutations)
    n_texts = len(chosen) * augmentation.texts
    n_templates = people.pools.templates_of_attribute
    by_attribute = generator(seed, "templates", str(part)).integers(0, n_templates, size=(n_texts, N_SENTENCES))
    by_attribute = np.repeat(by_attribute, repeats, axis=0)
    order = _orders(len(by_attribute), augmentation, generator(seed, "orders", str(part)))
    has_name = np.zeros(order.shape, dtype=bool)
    has_name[:, augmentation.name_in_sentence - 1 : augmentation.name_in_sentence] = True
    return Plans(
        person=np.repeat(chosen, augmentation.texts_per_person),
        text=np.tile(np.arange(augmentation.texts_per_person), len(chosen)),
        order=order,
        template=np.take_along_axis(by_attribute, order, axis=1),
        has_name=has_name | augmentation.full_name,
        ends_with_name=augmentation.name_in_sentence == NAME_AT_THE_END,
    )


def _orders(n: int, augmentation: Augmentation, draws: np.random.Generator) -> np.ndarray:
    """int64 [n, 6]: the attribute of each sentence."""
    fixed = np.array(ORDERS[augmentation.order], dtype=np.int64)
    if not augmentation.permutations:
        return np.tile(fixed, (n, 1))
    if augmentation.permuted == "sentences":
        return fixed[draws.random((n, N_SENTENCES)).argsort(axis=1)]
    pairs = draws.random((n, N_SENTENCES // 2)).argsort(axis=1)
    return fixed.reshape(-1, 2)[pairs].reshape(n, N_SENTENCES)
