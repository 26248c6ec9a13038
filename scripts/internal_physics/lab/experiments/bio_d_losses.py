"""Losses of a model on names and values of people of bioD, by teacher forcing; shared by `capacity` and `junk`."""

from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.bio_d import BioD
from internal_physics.lab.models.run import token_losses_nats


@dataclass(frozen=True)
class PeopleLosses:
    """Losses in nats, mean over people, random orders of attributes, and (but for the name) attributes.

    Attributes:
        name: summed over the tokens of a name (p1).
        value: summed over the tokens of a value (p2).
        first_chunk: summed over the tokens of a value's first chunk (p3).
    """

    name: float
    value: float
    first_chunk: float


def people_losses(model: PreTrainedModel, data: BioD, *, orders: int, seed: int, domain: bool = False) -> PeopleLosses:
    """Losses on texts of single people.

    Args:
        model: a causal lab model with the data's vocabulary.
        data: the people.
        orders: random orders of each person's attributes.
        seed: of the orders.
        domain: whether the texts begin with the domain token.
    """
    sizes, everybody = data.sizes, np.arange(data.sizes.people)
    head = 1 + domain
    sums = []
    for order in range(orders):
        rows = data.of_people(everybody, generator(seed, "measured orders", str(order)), domain=domain)
        nats = token_losses_nats(model, rows).astype(np.float64)
        said = nats[:, head + sizes.name_tokens :].reshape(len(rows), sizes.attributes, sizes.attribute_tokens)
        values = said[:, :, 1:]
        name = nats[:, head : head + sizes.name_tokens].sum(axis=1).mean()
        sums.append((name, values.sum(axis=2).mean(), values[:, :, : sizes.chunk_tokens].sum(axis=2).mean()))
    return PeopleLosses(*(float(value) for value in np.mean(sums, axis=0)))
