"""Which sentences a biography has: for every stored text of a person the order, the templates and the subjects.

A plan is only numbers; `texts.py` makes English of it, and `symbolic.py` rows of tokens. The augmentations are those of
Allen-Zhu and Li (2023): several texts of a person with other templates (multi), in other orders (permute), with the
full name in every sentence (fullname), or with the name only later (reverse).
"""

from dataclasses import dataclass

import numpy as np

from internal_physics.config.options.lab_biographies import NAME_AT_THE_END, ORDERS, Augmentation
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.people import People
from internal_physics.lab.data.pools import ATTRIBUTES

N_SENTENCES = len(ATTRIBUTES)


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
