"""What a model remembers of biographies, and what it can answer about people whose questions it never saw."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedModel

from internal_physics.config.options.lab_knowledge import KnowledgeMeasures
from internal_physics.ground.status import OK
from internal_physics.lab.data.batches import Batches
from internal_physics.lab.data.biographies import N_SENTENCES
from internal_physics.lab.data.biography_batches import AnswerBatches, all_questions
from internal_physics.lab.data.manipulations import Task, pool_of, tasks_of
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.data.symbolic import PROMPT_TOKENS
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.knowledge.data import Taught, taught
from internal_physics.lab.experiments.knowledge.experiment import ALL, BIOGRAPHY, QUESTION, TESTED, TRAINED
from internal_physics.lab.experiments.knowledge.masked import (
    HiddenAnswers,
    filled_shares,
    hidden_value_shares,
    with_mask,
)
from internal_physics.lab.experiments.knowledge.probing import probe_rows
from internal_physics.lab.models.masked import is_masked
from internal_physics.lab.models.run import ROWS_PER_PASS, continue_rows, load_trained
from internal_physics.lab.train.adapt import train_low_rank
from internal_physics.lab.train.low_rank import add_low_rank

_MANIPULATION_COLUMNS = ("task", "people", "n_asked", "accuracy", "chance", "status")


def measure(trained: Trained, options: KnowledgeMeasures) -> Mapping[str, pd.DataFrame]:
    """Tables `lab_knowledge` (biographies at every snapshot, questions after the last one), `lab_manipulation`, and
    `lab_knowledge_probes` (the last snapshot).
    """
    manipulated = pd.DataFrame(_manipulated(trained, options), columns=_MANIPULATION_COLUMNS)
    return {
        "lab_knowledge": pd.DataFrame(_rows(trained, options)),
        "lab_manipulation": manipulated,
        "lab_knowledge_probes": pd.DataFrame(probe_rows(trained, options)),
    }


def _rows(trained: Trained, options: KnowledgeMeasures) -> Iterator[Mapping[str, Any]]:
    given = taught(trained.data, trained.seed)
    shared = {"augmentation": trained.data.augmentation.name, "celebrities": trained.data.celebrities}
    for step, folder in trained.snapshots.items():
        model = load_trained(folder, trained.device)
        for people, persons in groups(given).items():
            shares = remembered(model, given, persons)
            yield from _of_group(given, persons, shares, shared | {"step": step, "task": BIOGRAPHY, "people": people})
    teach_questions(model, given, options, trained.seed)
    for people, persons in groups(given).items():
        shares = answered(model, given, persons)
        yield from _of_group(given, persons, shares, shared | {"step": step, "task": QUESTION, "people": people})


def remembered(model: PreTrainedModel, given: Taught, persons: np.ndarray) -> np.ndarray:
    """[6] share of the words of values in the stored texts of people that a causal or masked model knows."""
    return (hidden_value_shares if model.config.reads_both_ways else biography_shares)(model, given, persons)


def answered(model: PreTrainedModel, given: Taught, persons: np.ndarray) -> np.ndarray:
    """[6] share of people about whom a causal or masked model answers right."""
    return (filled_shares if model.config.reads_both_ways else answer_shares)(model, given, persons)


def groups(given: Taught) -> Mapping[str, np.ndarray]:
    """The people whose questions are trained, and those who are only asked about."""
    return {TRAINED: given.trained, TESTED: given.tested}


def _of_group(
    given: Taught, persons: np.ndarray, shares: np.ndarray, shared: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The rows of one task and group: six attributes and their mean."""
    chances = commonest_shares(given.people.values()[persons])
    numbers = zip((*ATTRIBUTES, ALL), (*shares, shares.mean()), (*chances, chances.mean()), strict=True)
    for attribute, accuracy, chance in numbers:
        row = {"attribute": attribute, "accuracy": float(accuracy), "chance": float(chance)}
        yield {**shared, **row, "n_people": len(persons), "status": OK}


def commonest_shares(values: np.ndarray) -> np.ndarray:
    """[attributes] share of the commonest value, of values [people, attributes]."""
    return np.array([np.unique(column, return_counts=True)[1].max() / len(column) for column in values.T])


@torch.no_grad()
def biography_shares(model: PreTrainedModel, given: Taught, persons: np.ndarray) -> np.ndarray:
    """[6] share of the words of each attribute's values that are the model's best guess, in all stored texts of people.

    Each text stands alone after <eos>.
    """
    chosen = np.isin(given.plans.person, persons)
    tokens = np.pad(given.rows.tokens[chosen], ((0, 0), (1, 0)), constant_values=END_ID)
    attribute = given.rows.attribute[chosen]
    right, all_words = np.zeros((2, N_SENTENCES))
    for first in range(0, len(tokens), ROWS_PER_PASS):
        ids = torch.as_tensor(tokens[first : first + ROWS_PER_PASS], device=model.device)
        is_right = (model(ids[:, :-1]).logits.argmax(-1) == ids[:, 1:]).cpu().numpy()
        kind = attribute[first : first + ROWS_PER_PASS]
        all_words += np.bincount(kind[kind >= 0], minlength=N_SENTENCES)
        right += np.bincount(kind[(kind >= 0) & is_right], minlength=N_SENTENCES)
    return right / all_words


def teach_questions(model: PreTrainedModel, given: Taught, options: KnowledgeMeasures, seed: int) -> None:
    """Train a low-rank change of a model on questions about the trained people; it stays in the model."""
    pool = all_questions(given.language, given.people, given.trained)
    _teach(model, given, (pool.tokens, pool.is_value), options, seed)


def _teach(
    model: PreTrainedModel,
    given: Taught,
    pool: tuple[np.ndarray, np.ndarray],
    options: KnowledgeMeasures,
    seed: int,
) -> None:
    changes = add_low_rank(model, rank=options.rank, embedding_rank=options.embedding_rank, seed=seed)
    vocabulary = given.language.vocabulary
    questions = AnswerBatches(vocabulary, *pool, options.questions, options.steps, seed)
    batches: Batches = questions
    if model.config.reads_both_ways:
        batches = HiddenAnswers(questions, with_mask(vocabulary))
    train_low_rank(model, changes, batches, learning_rate=options.learning_rate, weight_decay=options.weight_decay)


def answer_shares(model: PreTrainedModel, given: Taught, persons: np.ndarray) -> np.ndarray:
    """[6] share of people about whom the model's best answer is right, word for word, for each attribute."""
    shares = np.zeros(N_SENTENCES)
    for attribute in range(N_SENTENCES):
        asked = given.language.questions(given.people, persons, np.full(len(persons), attribute))
        answers = asked.tokens[:, PROMPT_TOKENS:]
        n_words = int(asked.is_value[0].sum())
        said = continue_rows(model, asked.tokens[:, :PROMPT_TOKENS], n_words)
        shares[attribute] = (said == answers[:, :n_words]).all(axis=1).mean()
    return shares


def _manipulated(trained: Trained, options: KnowledgeMeasures) -> Iterator[tuple[Any, ...]]:
    """Rows of `lab_manipulation`: none for people with one text each, because what cannot be extracted cannot be used,
    and none for masked models.
    """
    last = trained.snapshots[trained.last_step]
    if trained.data.augmentation.texts == 1 or is_masked(last):
        return
    given = taught(trained.data, trained.seed)
    for training in options.manipulations:
        model = load_trained(last, trained.device)
        taught_tasks = tasks_of(training, given.language, given.people, given.trained, trained.seed)
        _teach(model, given, pool_of(taught_tasks), options, trained.seed)
        for people, persons in groups(given).items():
            for task in tasks_of(training, given.language, given.people, persons, trained.seed):
                yield task.name, people, len(task.prompts), *_judged(model, task), OK


def _judged(model: PreTrainedModel, task: Task) -> tuple[float, float]:
    """Share of answers whose last word is right, and that of the commonest last word."""
    said = continue_rows(model, task.prompts, task.answers.shape[1])
    right = float((said[:, -1] == task.answers[:, -1]).mean())
    return right, float(commonest_shares(task.answers[:, -1:])[0])
