"""Data options of the lab's experiment `junk`. No heavy imports."""

from dataclasses import dataclass
from typing import Literal

from internal_physics.config.options.lab_bio_d import SIZES, BioDSizes
from internal_physics.ground.options import Count, NaturalNumber


@dataclass(frozen=True)
class JunkData:
    """People whose attributes are to be learned, among texts that are of no use.

    A row of training is a window: some people, one after the other, either all of use or all junk.

    Attributes:
        sizes: of the people of use.
        exposures: texts of each person of use in the whole training.
        people_per_window: texts in one row.
        good_windows: rows of people of use in each step.
        junk_windows: rows of junk in each step.
        repeated_people: of how many people the junk is; 0 for people and values that are drawn anew each time.
        domain_token: where a special token stands before each text.
            - none: nowhere.
            - good: before texts of use.
            - all: before all texts.
    """

    sizes: BioDSizes = SIZES
    exposures: Count = 100
    people_per_window: Count = 4
    good_windows: Count = 1
    junk_windows: NaturalNumber = 0
    repeated_people: NaturalNumber = 0
    domain_token: Literal["none", "good", "all"] = "none"
