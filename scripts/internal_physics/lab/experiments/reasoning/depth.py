"""How deep in a model it is known what the answer needs: a probe for each layer, judged by distance from the query."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.lab.data.reasoning.labels import distances
from internal_physics.lab.experiments.reasoning import asking
from internal_physics.lab.experiments.reasoning.questions import judged_items
from internal_physics.lab.probes.asking import told_by
from internal_physics.lab.probes.problem_questions import NEEDED, Item, balanced_accuracy


def by_layer(
    model: PreTrainedModel, data: ReasoningData, options: ReasoningMeasures, seed: int
) -> Iterator[tuple[int, int, float, int]]:
    """Rows layer, distance, accuracy, number of needed parameters, for every layer and every distance that is there."""
    asked = judged_items(NEEDED, data, options.probe_judged, seed)
    layers: Any = model.config.num_hidden_layers
    for layer in range(1, layers + 1):
        probe = asking.fit_probe(model, NEEDED, data, options, seed, layer=layer)
        told = told_by(probe, [item.tokens for item in asked])
        yield from ((layer, *row) for row in by_distance(asked, told))


def by_distance(asked: Sequence[Item], told: np.ndarray) -> Iterator[tuple[int, float, int]]:
    """Rows distance, accuracy, number of needed parameters: how well those at a distance are told from the others.

    Args:
        asked: questions of the task `needed`.
        told: [questions] answers.

    Yields:
        Accuracies balanced between needed parameters at this distance and all that are not needed, so that their mean
        over distances, each as often as it occurs, is the balanced accuracy. NaN if all are needed.
    """
    right = np.array([item.answer for item in asked])
    away = np.array([distances(item.problem)[item.parameter] for item in asked])
    for distance in sorted(set(away[right == 1].tolist())):
        chosen = (right == 0) | (away == distance)
        yield distance, balanced_accuracy(told[chosen], right[chosen]), int((away == distance).sum())
