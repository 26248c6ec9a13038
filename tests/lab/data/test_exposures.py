"""Exposures are exact: every person comes as often as asked, whatever else is read; steps are functions of the step."""

import dataclasses

import numpy as np
import pytest
from internal_physics.config.options.lab_bio_d import BioDSizes
from internal_physics.config.options.lab_biographies import Augmentation
from internal_physics.config.options.lab_capacity import CapacityData
from internal_physics.config.options.lab_junk import JunkData
from internal_physics.config.options.lab_knowledge import KnowledgeData
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.biography_batches import AnswerBatches, all_questions
from internal_physics.lab.experiments.capacity import data as capacity
from internal_physics.lab.experiments.junk import data as junk
from internal_physics.lab.experiments.knowledge import data as knowledge

SIZES = BioDSizes(people=24, name_pool=30)
JUNK = JunkData(SIZES, exposures=5, junk_windows=7)


def names_in(tokens, data):
    """Numbers of the names in rows of windows, in their order."""
    words = data.vocabulary
    first = int(words.ids(["name0"])[0])
    ids = tokens[(tokens >= first) & (tokens < first + 30)].reshape(-1, 2) - first
    return ids @ [1, 30]


@pytest.mark.parametrize(
    "options",
    [
        JUNK,
        dataclasses.replace(JUNK, junk_windows=0),
        dataclasses.replace(JUNK, domain_token="good"),
        dataclasses.replace(JUNK, repeated_people=3),
    ],
)
def test_every_person_of_use_is_read_exactly_as_often_as_asked(options):
    batches = junk.batches(options, seed=3)
    names = np.concatenate([names_in(batches.at(step).tokens, batches.data) for step in range(batches.steps)])
    counts = {name: int((names == name).sum()) for name in batches.data.names}
    assert set(counts.values()) == {5}
    assert len(names) == 24 * 5 * (1 + options.junk_windows)


def test_junk_is_seven_eighths_and_has_strangers_only():
    batches = junk.batches(JUNK, seed=3)
    tokens = batches.at(4).tokens
    assert tokens.shape == (8, 4 * 11 + 1)
    assert not set(names_in(tokens[1:], batches.data)) & set(batches.data.names)


def test_repeated_junk_has_the_same_few_people_with_the_same_values():
    batches = junk.batches(dataclasses.replace(JUNK, repeated_people=3), seed=3)
    seen = set()
    for step in range(4):
        texts = batches.at(step).tokens[1:, :-1].reshape(-1, 11)
        seen |= {(*text[1:3], *sorted(zip(text[3::2], text[4::2], strict=True))) for text in texts.tolist()}
    assert len(seen) == 3


@pytest.mark.parametrize(("where", "rows"), [("none", []), ("good", [0]), ("all", list(range(8)))])
def test_the_domain_token_stands_where_the_option_says(where, rows):
    batches = junk.batches(dataclasses.replace(JUNK, domain_token=where), seed=3)
    tokens, (domain,) = batches.at(0).tokens, batches.vocabulary.ids(["<domain>"])
    assert np.flatnonzero((tokens == domain).any(axis=1)).tolist() == rows
    assert tokens.shape[1] == batches.tokens_per_row == (4 * 12 + 1 if rows else 4 * 11 + 1)


def test_padding_has_no_loss_and_windows_end_with_the_end_token():
    batch = junk.batches(dataclasses.replace(JUNK, domain_token="good"), seed=3).at(0)
    assert (batch.loss_weights.sum(axis=1) == [48] + [44] * 7).all()
    assert batch.tokens[0, -1] == 0 and (batch.tokens[1:, 44] == 0).all() and (batch.tokens[1:, 45:] == 1).all()


def test_a_step_is_the_same_however_often_it_is_asked_for_and_orders_change():
    batches = capacity.batches(CapacityData(SIZES, exposures=4, windows=3), seed=0)
    assert batches.steps == 8
    np.testing.assert_array_equal(batches.at(5).tokens, batches.at(5).tokens)
    orders = [batches.persons_at(2 * number).tolist() for number in range(4)]
    assert len({tuple(order) for order in orders}) == 4


def test_exposures_that_do_not_fill_whole_steps_are_refused():
    with pytest.raises(ConfigError, match="do not fill whole steps of 20"):
        _ = capacity.batches(CapacityData(SIZES, exposures=4, windows=5), seed=0).steps


KNOWLEDGE = KnowledgeData(people=12, exposures=15, texts_per_row=3, rows=2)
MULTI = Augmentation(texts=5, permutations=1)


@pytest.mark.parametrize(
    "options",
    [
        KNOWLEDGE,
        dataclasses.replace(KNOWLEDGE, augmentation=MULTI),
        dataclasses.replace(KNOWLEDGE, people=6, celebrities=6, celebrity_augmentation=MULTI),
        dataclasses.replace(KNOWLEDGE, augmentation=Augmentation(full_name=True)),
    ],
)
def test_every_biography_is_read_equally_often(options):
    batches = knowledge.batches(options, seed=1)
    read = np.concatenate([batches.texts_at(step).reshape(-1) for step in range(batches.steps)])
    by_person = [np.isin(read, own[own >= 0]).sum() for own in batches.texts_of]
    assert set(by_person) == {15}
    counts = np.bincount(read, minlength=len(batches.texts))
    assert set(counts) <= {3, 15} and len(batches.at(0).tokens) == 2


def test_rows_have_whole_texts_between_end_tokens():
    batches = knowledge.batches(dataclasses.replace(KNOWLEDGE, augmentation=MULTI), seed=1)
    tokens, chosen = batches.at(7).tokens, batches.texts_at(7)
    assert tokens.shape == (2, batches.tokens_per_row)
    for row, texts in zip(tokens, chosen, strict=True):
        expected = [0, *(token for text in texts for token in (*batches.texts[text], 0))]
        assert row.tolist() == expected


def test_texts_of_different_length_leave_no_gap():
    options = dataclasses.replace(
        KNOWLEDGE, people=6, celebrities=6, celebrity_augmentation=Augmentation(full_name=True)
    )
    tokens = knowledge.batches(options, seed=1).at(3).tokens
    assert ((tokens == 1).astype(int).cumsum(axis=1)[:, :-1] <= (tokens == 1)[:, 1:].cumsum(axis=1)).all()
    assert ((tokens == 0).sum(axis=1) == 4).all()


def test_half_of_the_people_are_trained_and_the_others_tested():
    given = knowledge.taught(KNOWLEDGE, seed=1)
    assert (given.trained.tolist(), given.tested.tolist()) == ([*range(6)], [*range(6, 12)])
    with_celebrities = knowledge.taught(dataclasses.replace(KNOWLEDGE, celebrities=4), seed=1)
    assert (len(with_celebrities.tested), with_celebrities.trained.tolist()) == (12, [12, 13, 14, 15])


def test_questions_have_a_loss_on_answers_alone_and_are_about_the_chosen_people():
    given = knowledge.taught(KNOWLEDGE, seed=1)
    pool = all_questions(given.language, given.people, given.trained)
    batches = AnswerBatches(given.language.vocabulary, pool.tokens, pool.is_value, rows=200, steps=3, seed=0)
    batch = batches.at(1)
    assert batch.tokens.shape == (200, batches.tokens_per_row)
    assert set(batch.loss_weights.sum(axis=1)) == {2, 4}  # one or three words, and the end
    assert (batch.loss_weights[:, :6] == 0).all()
    asked = {tuple(name) for name in batch.tokens[:, 2:5].tolist()}
    assert asked == {tuple(name) for name in given.language.name_ids(given.people)[given.trained].tolist()}
