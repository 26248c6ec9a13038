"""Where a frozen model of biographies holds what it knows of a person: probes of its texts, and of the name alone.

In a text a probe reads right before each value. Allen-Zhu and Li call this P-probing, and that of the name Q-probing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from internal_physics.config.options.lab_knowledge import KnowledgeMeasures
from internal_physics.ground.status import OK
from internal_physics.lab.data.biographies import N_SENTENCES
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.data.symbolic import ANSWER
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.knowledge.data import Taught, taught
from internal_physics.lab.experiments.knowledge.experiment import AFTER_NAME, INITIAL, TRAINED_WEIGHTS
from internal_physics.lab.models.build import build_model
from internal_physics.lab.models.run import load_trained
from internal_physics.lab.probes.prompted import PromptedProbe, Reading, fit_prompted_probe

NAME_RANK, NAME_STEPS, NAME_ROWS, NAME_RATE = 8, 2, 2, 3  # times those of texts, where a probe reads names


def probe_rows(trained: Trained, options: KnowledgeMeasures) -> Iterator[Mapping[str, Any]]:
    """Rows of `lab_knowledge_probes`: the last snapshot, and the same model with its first weights."""
    given = taught(trained.data, trained.seed)
    last: Any = load_trained(trained.snapshots[trained.last_step], trained.device)
    first: Any = build_model(last.config, trained.seed)
    for weights, model in ((TRAINED_WEIGHTS, last), (INITIAL, first.to(trained.device))):
        for places, shares, chances in _probed(model, given, options, trained.seed):
            for place, of_place in zip(places, shares, strict=True):
                for attribute, accuracy, chance in zip(ATTRIBUTES, of_place, chances, strict=True):
                    row = {"weights": weights, "place": place, "attribute": attribute, "status": OK}
                    yield {
                        **row,
                        "augmentation": trained.data.augmentation.name,
                        "celebrities": trained.data.celebrities,
                        "n_people": len(given.tested),
                        "accuracy": accuracy,
                        "chance": chance,
                    }


def _probed(
    model: PreTrainedModel, given: Taught, options: KnowledgeMeasures, seed: int
) -> Iterator[tuple[range, np.ndarray, np.ndarray]]:
    """Numbers of places, [places, 6] shares that are told right of tested people, and [6] chances.

    A masked model sees the value behind the place, so it is only probed at the name.
    """
    labels = given.people.first_values()
    commonest = [np.bincount(column[given.trained]).argmax() for column in labels.T]
    chances = (labels[given.tested] == commonest).mean(axis=0)
    yield range(AFTER_NAME, AFTER_NAME + 1), _of_names(model, given, labels, options, seed), chances
    if not model.config.reads_both_ways:
        yield range(1, N_SENTENCES + 1), _of_texts(model, given, labels, options, seed), chances


def _of_texts(
    model: PreTrainedModel, given: Taught, labels: np.ndarray, options: KnowledgeMeasures, seed: int
) -> np.ndarray:
    reading, person = before_values(given, labels), given.plans.person
    shared, answers = np.append(given.language.shared_ids(), END_ID), given.language.first_value_ids()
    probe = PromptedProbe(model, shared, answers, n_places=N_SENTENCES, rank=options.probe_rank, seed=seed)
    fit_prompted_probe(
        probe,
        reading.take(np.flatnonzero(np.isin(person, given.trained))),
        steps=options.probe_steps,
        rows=options.probe_rows,
        learning_rate=options.probe_learning_rate,
        seed=seed,
    )
    return probe.shares_right(reading.take(np.flatnonzero(np.isin(person, given.tested))))


def _of_names(
    model: PreTrainedModel, given: Taught, labels: np.ndarray, options: KnowledgeMeasures, seed: int
) -> np.ndarray:
    """A name is short, and two changed words must stand for a whole text: more of everything."""
    reading, answers = names_alone(given, labels), given.language.first_value_ids()
    changed, rank = reading.tokens[0, [0, -1]], NAME_RANK * options.probe_rank
    probe = PromptedProbe(model, changed, answers, n_places=1, rank=rank, seed=seed)
    fit_prompted_probe(
        probe,
        reading.take(given.trained),
        steps=NAME_STEPS * options.probe_steps,
        rows=NAME_ROWS * options.probe_rows,
        learning_rate=NAME_RATE * options.probe_learning_rate,
        seed=seed,
    )
    return probe.shares_right(reading.take(given.tested))


def before_values(given: Taught, labels: np.ndarray) -> Reading:
    """All stored texts, read at the token before the value of each sentence, in the order of the text.

    Args:
        given: people and texts.
        labels: int64 [people, 6].
    """
    attribute = np.pad(given.rows.attribute, ((0, 0), (1, 0)), constant_values=-1)
    is_value = attribute[:, :, None] == given.plans.order[:, None, :]  # [text, token, sentence]
    tokens = np.pad(given.rows.tokens, ((0, 0), (1, 0)), constant_values=END_ID)
    return Reading(tokens, is_value.argmax(axis=1) - 1, labels[given.plans.person])


def names_alone(given: Taught, labels: np.ndarray) -> Reading:
    """Everybody's name between two words that no name has, read at the second.

    Args:
        given: people.
        labels: int64 [people, 6].
    """
    names = given.language.name_ids(given.people)
    tokens = np.pad(names, ((0, 0), (1, 1)), constant_values=END_ID)
    tokens[:, -1] = given.language.vocabulary.ids([ANSWER])
    return Reading(tokens, np.full((len(tokens), 1), tokens.shape[1] - 1), labels)
