"""The training set of an arm of the experiment `knowledge`, and who is asked about."""

from dataclasses import dataclass

import numpy as np

from internal_physics.config.options.lab_knowledge import KnowledgeData
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.biographies import Plans, plan_biographies
from internal_physics.lab.data.biography_batches import BiographyBatches
from internal_physics.lab.data.passes import steps_for
from internal_physics.lab.data.people import People, draw_people, require_names
from internal_physics.lab.data.pools import symbolic_pools
from internal_physics.lab.data.symbolic import Language, Rows


@dataclass(frozen=True)
class Taught:
    """People of an arm and their stored biographies.

    Attributes:
        language: of biographies and questions.
        people: first those whose knowledge is tested, then celebrities.
        plans: of all biographies.
        rows: the biographies.
        trained: int64, people whose questions are trained on: half of the people, or all celebrities.
        tested: int64, people whose questions are only asked.
    """

    language: Language
    people: People
    plans: Plans
    rows: Rows
    trained: np.ndarray
    tested: np.ndarray


def planned_steps(options: KnowledgeData) -> int:
    """Steps of a training, before any person is drawn.

    Raises:
        UserError: if exposures do not fill whole steps, or there are too few names for the people.
    """
    n_people = options.people + options.celebrities
    require_names(n_people, symbolic_pools(options.words_of_places), "people")
    return steps_for(n_people, options.exposures, options.rows * options.texts_per_row, "exposures")


def taught(options: KnowledgeData, seed: int) -> Taught:
    """The people of an arm and their texts."""
    people = draw_people(options.people + options.celebrities, symbolic_pools(options.words_of_places), seed)
    everybody = np.arange(len(people))
    tested, celebrities = everybody[: options.people], everybody[options.people :]
    plans = plan_biographies(people, options.augmentation, seed, tested)
    if options.celebrities:
        plans = _joined(plans, plan_biographies(people, options.celebrity_augmentation, seed, celebrities, part=1))
    half = options.people // 2
    trained, asked = (celebrities, tested) if options.celebrities else (tested[:half], tested[half:])
    language = Language(people.pools)
    return Taught(language, people, plans, language.biographies(people, plans), trained, asked)


def batches(options: KnowledgeData, seed: int) -> BiographyBatches:
    """Rows of stored biographies.

    Raises:
        ConfigError: if exposures do not fill whole steps.
    """
    given = taught(options, seed)
    return BiographyBatches(
        vocabulary=given.language.vocabulary,
        texts=given.rows.tokens,
        texts_of=_texts_of(given.plans, len(given.people)),
        exposures=options.exposures,
        texts_per_row=options.texts_per_row,
        rows=options.rows,
        seed=seed,
    )


def _texts_of(plans: Plans, n_people: int) -> np.ndarray:
    """int64 [people, most texts of a person]: the rows of each person's texts, -1 beyond the last."""
    found = np.full((n_people, plans.text.max() + 1), -1, dtype=np.int64)
    found[plans.person, plans.text] = np.arange(len(plans))
    return found


def _joined(one: Plans, other: Plans) -> Plans:
    """Two lists of plans as one.

    Raises:
        ConfigError: if only one of them has a last sentence with the name.
    """
    if one.ends_with_name != other.ends_with_name:
        raise ConfigError(
            "only one of the two augmentations ends with the name",
            where="celebrity_augmentation.name_in_sentence",
            expected="7 for both, or for neither",
            todo="give both the same",
        )

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name), getattr(other, name)])

    return Plans(
        person=both("person"),
        text=both("text"),
        order=both("order"),
        template=both("template"),
        has_name=both("has_name"),
        ends_with_name=one.ends_with_name,
    )
