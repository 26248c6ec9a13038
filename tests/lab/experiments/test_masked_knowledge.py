"""Masked models of biographies: they fill in hidden words, of texts and of answers to questions."""

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.config.options.lab_knowledge import KnowledgeData, KnowledgeMeasures
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.lab.data.biography_batches import AnswerBatches, all_questions
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.knowledge import masked, measures
from internal_physics.lab.experiments.knowledge.data import taught
from internal_physics.lab.experiments.knowledge.experiment import EXPERIMENT
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.lab.train.job import batches_of
from internal_physics.tables.conform import conform

DATA = KnowledgeData(people=8, exposures=3, texts_per_row=2, rows=2, words_of_places=3)
GIVEN = taught(DATA, 3)
VOCABULARY = masked.with_mask(GIVEN.language.vocabulary)
MASK_ID = masked.mask_id(VOCABULARY)


class Filler:
    """A masked model that fills the hidden words of rows that it knows; of other rows, it says word 2 everywhere."""

    device = torch.device("cpu")

    def __init__(self, *known):
        self.known = known  # rows of one length each

    def __call__(self, ids, attention_mask):
        assert ((ids != 1).long() == attention_mask).all()
        said = np.full(ids.shape, 2)
        (rows,) = [rows for rows in self.known if rows.shape[1] == ids.shape[1]] or [said[:0]]
        for number, row in enumerate(ids.numpy()):
            fits = ((rows == row) | (row == MASK_ID)).all(axis=1)
            if fits.any():
                said[number] = rows[fits][0]
        return type("Output", (), {"logits": torch.nn.functional.one_hot(torch.tensor(said), len(VOCABULARY)).float()})


def questions_with_answers(persons):
    """Rows of one word each, and rows of three."""
    rows = [GIVEN.language.questions(GIVEN.people, persons, np.full(len(persons), a)).tokens for a in range(6)]
    return [np.concatenate([few for few in rows if few.shape[1] == width]) for width in {few.shape[1] for few in rows}]


def test_places_have_as_many_words_as_asked_for_and_the_first_tells_the_value():
    words = GIVEN.language.value_ids(GIVEN.people)
    assert (words >= 0).sum(axis=2).tolist() == [[3, 3, 3, 1, 3, 3]] * 8
    first = GIVEN.language.vocabulary.words(words[:, 1, 0])
    assert GIVEN.language.vocabulary.words(words[:, 1, 2]) == [f"{word}-3" for word in first]
    single = taught(KnowledgeData(people=8), 3).people.values()
    np.testing.assert_array_equal(GIVEN.people.values(), single)  # the same people, however many words


def test_a_model_that_knows_the_texts_fills_in_every_value():
    texts = np.pad(GIVEN.rows.tokens, ((0, 0), (1, 0)))
    np.testing.assert_array_equal(masked.hidden_value_shares(Filler(texts), GIVEN, GIVEN.tested), np.ones(6))
    wrong = masked.hidden_value_shares(Filler(texts[np.isin(GIVEN.plans.person, GIVEN.trained)]), GIVEN, GIVEN.tested)
    np.testing.assert_array_equal(wrong, np.zeros(6))


def test_an_answer_is_right_word_for_word():
    everything = Filler(*questions_with_answers(GIVEN.tested))
    np.testing.assert_array_equal(masked.filled_shares(everything, GIVEN, GIVEN.tested), np.ones(6))
    all_but_one = Filler(*questions_with_answers(GIVEN.tested[1:]))
    np.testing.assert_array_equal(masked.filled_shares(all_but_one, GIVEN, GIVEN.tested), np.full(6, 0.75))


def test_all_words_of_an_answer_are_hidden_at_once_and_they_alone_have_the_loss():
    pool = all_questions(GIVEN.language, GIVEN.people, GIVEN.trained)
    questions = AnswerBatches(GIVEN.language.vocabulary, pool.tokens, pool.is_value, 32, 5, 0)
    batch = masked.HiddenAnswers(questions, VOCABULARY).at(2)
    is_answer = batch.loss_weights > 0
    assert set(is_answer.sum(axis=1)) == {1, 3}
    assert ((batch.inputs == MASK_ID) == is_answer).all() and (batch.tokens != MASK_ID).all()
    np.testing.assert_array_equal(np.where(is_answer, 0, batch.inputs), np.where(is_answer, 0, batch.tokens))


@pytest.fixture
def arm(tmp_path):
    given = batches_of("internal_physics.lab.experiments.knowledge.data", vars(DATA), 3, masked=True)
    options = LabModelOptions(layers=1, width=16, heads=2, masked=True)
    model = build_model(lab_config(options, given.vocabulary, given.tokens_per_row), seed=1)
    save_model(model, given.vocabulary, tmp_path / "6")
    assert given.vocabulary == VOCABULARY
    return Trained("arm", 3, DATA, {6: str(tmp_path / "6")})


def test_a_masked_arm_is_measured_like_any_other(arm):
    options = KnowledgeMeasures(steps=2, questions=4, rank=2, embedding_rank=2, probe_steps=1)
    found = measures.measure(arm, options)
    for table in EXPERIMENT.tables:
        conform(found[table.name].assign(arm="arm", seed=3), table)
    assert len(found["lab_knowledge"]) == 2 * 2 * 7 and found["lab_manipulation"].empty
    assert isinstance(found["lab_knowledge_probes"], pd.DataFrame) and set(found["lab_knowledge_probes"]["place"]) == {
        0
    }
