"""The kernel of values: into how many directions do the gradients of what is known of people spread?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from internal_physics.families.kernel.parts import cosine_kernel
from internal_physics.families.kernel.spectrum import effective_rank, eigenvalues
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.bio_d import BioD
from internal_physics.lab.experiments.capacity.data import batches
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.kernels.study import Number, Scalar, Study
from internal_physics.lab.kernels.tables import COSINE_RANK, RANK

MOST_PEOPLE = 64


def study(trained: Trained) -> Study:
    """The first token of one value of each of some people, in texts of random order."""
    given = batches(trained.data, trained.seed)
    per_step = given.people_per_window * given.good_windows / given.data.sizes.people
    return Study(values_of(given.data, trained.seed), _ranks, per_step)


def values_of(data: BioD, seed: int) -> list[Scalar]:
    """A value of each of at most 64 people; each attribute's place in the text is asked for equally often."""
    sizes = data.sizes
    draws = generator(seed, "values of the kernel")
    rows = data.of_people(np.arange(min(MOST_PEOPLE, sizes.people)), draws)
    head = 1 + sizes.name_tokens
    ends = head + 1 + np.arange(len(rows)) % sizes.attributes * sizes.attribute_tokens
    return [Scalar(row[:end], int(row[end])) for row, end in zip(rows, ends, strict=True)]


def _ranks(kernel: NDArray[np.float64]) -> Iterator[Number]:
    yield Number(RANK, "all", effective_rank(eigenvalues(kernel)))
    cosines = cosine_kernel(kernel)
    rank = effective_rank(eigenvalues(cosines)) if np.isfinite(cosines).all() else float("nan")
    yield Number(COSINE_RANK, "all", rank)
