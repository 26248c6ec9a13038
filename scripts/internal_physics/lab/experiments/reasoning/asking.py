"""Probes that ask a frozen model a question about a parameter of a problem of single symbols."""

from transformers import PreTrainedModel

from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.ground.seeds import seed_of
from internal_physics.lab.data.batches import generator
from internal_physics.lab.experiments.reasoning.questions import items, n_answers
from internal_physics.lab.probes.asking import Probe, train_probe


def fit_probe(
    model: PreTrainedModel,
    task: str,
    data: ReasoningData,
    options: ReasoningMeasures,
    seed: int,
    *,
    layer: int | None = None,
) -> Probe:
    """Train a probe of a frozen model on fresh questions of a task, after a block or the last one."""
    first = seed_of(seed, "a probe", task) % 2**63
    probe = Probe(model, options.probe_rank, first, n_answers=n_answers(task), layer=layer)
    return train_probe(probe, items(task, data, generator(seed, "questions to fit a probe", task)), options)
