"""How many bits a model of the experiment `capacity` has learned, and how many are left when it is rounded."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from internal_physics.config.options.lab_capacity import CapacityMeasures
from internal_physics.ground.status import value_status
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.bio_d import BioD
from internal_physics.lab.experiments.bio_d_losses import people_losses
from internal_physics.lab.experiments.capacity.bits import (
    bio_d_counts,
    bits_learned,
    bits_of_data,
    most_bits,
    published_notes_bits,
)
from internal_physics.lab.experiments.capacity.data import batches
from internal_physics.lab.experiments.capacity.experiment import WHOLE_BITS
from internal_physics.lab.experiments.capacity.rounding import round_matrices
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.models.run import load_model


def measure(trained: Trained, options: CapacityMeasures) -> Mapping[str, pd.DataFrame]:
    """Table `lab_capacity`: bits at every snapshot, and of the last one with its matrices rounded."""
    return {"lab_capacity": pd.DataFrame(_rows(trained, options))}


def _rows(trained: Trained, options: CapacityMeasures) -> Iterator[Mapping[str, Any]]:
    data = batches(trained.data, trained.seed).data
    for step, folder in trained.snapshots.items():
        for weight_bits in (WHOLE_BITS, *(options.rounded_to if step == trained.last_step else ())):
            model = load_model(folder, device=trained.device)
            if weight_bits != WHOLE_BITS:
                round_matrices(model, weight_bits)
            row = bits_row(model, data, options.orders, trained.seed)
            yield {"step": step, "weight_bits": weight_bits, "exposures": trained.data.exposures, **row}


def bits_row(model: PreTrainedModel, data: BioD, orders: int, seed: int) -> Mapping[str, Any]:
    """Losses and bits of a model, as columns of the table."""
    sizes = data.sizes
    counts = bio_d_counts(**sizes.in_formulas)
    losses = people_losses(model, data, orders=orders, seed=seed)
    learned = bits_learned(
        counts,
        name_nats=losses.name,
        value_nats=sizes.attributes * losses.value,
        first_chunk_nats=losses.first_chunk,
    )
    n_parameters = used_parameters(model, data)
    ratio = learned.total / n_parameters
    return {
        "people": sizes.people,
        "n_parameters": n_parameters,
        "name_nats": losses.name,
        "value_nats": losses.value,
        "first_chunk_nats": losses.first_chunk,
        "name_bits": learned.name,
        "value_bits": learned.value,
        "diversity_bits": learned.diversity,
        "data_bits": bits_of_data(counts).total,
        "wrong_data_bits": published_notes_bits(**sizes.in_formulas),
        "bits_per_parameter": ratio,
        "most_bits_per_parameter": most_bits(counts).total / n_parameters,
        "status": value_status(ratio, "the loss is not finite"),
    }


def used_parameters(model: PreTrainedModel, data: BioD) -> int:
    """Weights of a model, without the embeddings (and head rows) of words that no person's text has."""
    rows = data.of_people(np.arange(data.sizes.people), generator(0, "words of all texts"))
    unused = len(data.vocabulary) - len(np.unique(rows))
    tables = 1 if model.config.tie_word_embeddings else 2
    return int(model.num_parameters()) - unused * tables * int(model.config.hidden_size)
