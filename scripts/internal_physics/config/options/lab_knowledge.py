"""Options of the lab's experiment `knowledge`. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from internal_physics.config.options.lab_biographies import SINGLE, Augmentation
from internal_physics.ground.options import Count, NaturalNumber, NonNegativeNumber, PositiveNumber, Range, Size

Manipulation = Literal["parity", "comparison", "year", "inverse"]


@dataclass(frozen=True)
class KnowledgeData:
    """Biographies of people, in symbolic words.

    Attributes:
        people: whose knowledge is tested.
        augmentation: how many texts they have, and how these differ.
        words_of_places: words of a city, university or employer, each of which tells the others; a masked model learns
            them of each other, and not of the person.
        celebrities: further people, all of whom questions are trained on, and none tested.
        celebrity_augmentation: that of their texts.
        exposures: texts of each person in the whole training.
        texts_per_row: biographies in one row, one after the other.
        rows: rows of one step.
    """

    people: Count = 150
    augmentation: Augmentation = SINGLE
    words_of_places: Annotated[int, Range(minimum=1, below=4)] = 1
    celebrities: NaturalNumber = 0
    celebrity_augmentation: Augmentation = SINGLE
    exposures: Count = 600
    texts_per_row: Count = 4
    rows: Count = 9


@dataclass(frozen=True)
class KnowledgeMeasures:
    """How it is tested what a model knows of people: questions about half of them are trained, about the others asked.

    Attributes:
        steps: updates of the training on questions.
        questions: in each of them.
        learning_rate: the first; it falls along a line to 0.
        weight_decay: of the adapter's matrices.
        rank: of the change of queries, keys and values (LoRA).
        embedding_rank: of the change of the embedding of tokens that are read.
        manipulations: what is made of what is known, each trained alone, where people have more than one text.
            - parity: whether the month of birth is even, in half of the questions after saying the month.
            - comparison: whether the first of two people was born in the later month.
            - year: the year of birth without month and day.
            - inverse: the first name of a person with given values.
        probe_steps: updates of a probe of the frozen model, which tells attributes at each place of a text, and after
            a name alone.
        probe_rows: texts or names in each of them.
        probe_rank: of the probe's change of the embeddings of words that belong to no person.
        probe_learning_rate: the first of that change; it falls along a line to 0.
    """

    steps: Count = 1600
    questions: Count = 48
    learning_rate: PositiveNumber = 1e-3
    weight_decay: NonNegativeNumber = 0.01
    rank: Count = 8
    embedding_rank: Count = 32
    manipulations: Annotated[tuple[Manipulation, ...], Size(unique=True)] = ("parity", "comparison", "year", "inverse")
    probe_steps: Count = 100
    probe_rows: Count = 12
    probe_rank: Count = 2
    probe_learning_rate: PositiveNumber = 1e-2
