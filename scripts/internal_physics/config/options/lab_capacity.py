"""Options of the lab's experiment `capacity`. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated

from internal_physics.config.options.lab_bio_d import SIZES, BioDSizes
from internal_physics.ground.options import Count, Range, Size


@dataclass(frozen=True)
class CapacityData:
    """People whose every attribute is random, so that all that is learned of them can be counted in bits.

    Attributes:
        sizes: of the people.
        exposures: texts of each person in the whole training, each with the attributes in a new order.
        people_per_window: texts in one row.
        windows: rows of one step.
    """

    sizes: BioDSizes = SIZES
    exposures: Count = 1000
    people_per_window: Count = 4
    windows: Count = 4


@dataclass(frozen=True)
class CapacityMeasures:
    """What is measured on models of the experiment `capacity`.

    Attributes:
        orders: random orders of each person's attributes that losses are the mean of.
        rounded_to: numbers of bits; the model is measured again with every matrix rounded to so many.
    """

    orders: Count = 2
    rounded_to: Annotated[tuple[Annotated[int, Range(minimum=2, below=17)], ...], Size(unique=True)] = (8, 4)
