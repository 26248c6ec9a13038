"""How many bits of the people of use a model has learned among junk."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from internal_physics.config.options.lab_junk import JunkData
from internal_physics.ground.status import value_status
from internal_physics.lab.experiments.bio_d_losses import people_losses
from internal_physics.lab.experiments.capacity.bits import bio_d_counts, bits_learned, most_bits
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.junk.data import batches
from internal_physics.lab.models.run import load_model

ORDERS = 2  # random orders of each person's attributes


def measure(trained: Trained, _options: None) -> Mapping[str, pd.DataFrame]:
    """Table `lab_junk`: bits of names and values of the people of use, at every snapshot."""
    return {"lab_junk": pd.DataFrame(_rows(trained))}


def mixture(options: JunkData) -> str:
    """What the people of use are mixed with, one of the words of the table."""
    if not options.junk_windows:
        return "good_only" if options.domain_token == "none" else "other"
    if options.repeated_people:
        return "junk_repeated" if options.domain_token == "none" else "other"
    return {"none": "junk", "good": "junk_domain_on_good", "all": "junk_domain_on_all"}[options.domain_token]


def _rows(trained: Trained) -> Iterator[Mapping[str, Any]]:
    options: JunkData = trained.data
    data, sizes = batches(options, trained.seed).data, options.sizes
    counts = bio_d_counts(**sizes.in_formulas)
    most = most_bits(counts).value
    for step, folder in trained.snapshots.items():
        model = load_model(folder, device=trained.device)
        has_domain = options.domain_token != "none"
        losses = people_losses(model, data, orders=ORDERS, seed=trained.seed, domain=has_domain)
        learned = bits_learned(counts, name_nats=losses.name, value_nats=sizes.attributes * losses.value)
        yield {
            "step": step,
            "mixture": mixture(options),
            "exposures": options.exposures,
            "junk_share": options.junk_windows / (options.junk_windows + options.good_windows),
            "name_nats": losses.name,
            "value_nats": losses.value,
            "name_bits": learned.name,
            "value_bits": learned.value,
            "most_value_bits": most,
            "value_share": learned.value / most,
            "status": value_status(learned.value, "the loss is not finite"),
        }
