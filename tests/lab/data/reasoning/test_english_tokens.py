"""English problems as tokens: every text comes back, and the names that are taken back are found."""

import numpy as np
from internal_physics.lab.data.reasoning.english import english_vocabulary, taken_back, text_of, words_of
from internal_physics.lab.data.reasoning.files import ProblemSet


def test_every_text_is_made_of_the_vocabulary_and_comes_back_from_its_tokens():
    problems, vocabulary = ProblemSet(retry_rate=0.3, seed=1), english_vocabulary(23)
    for number in range(200):
        _, written = problems.written(number)
        for order in ("pq", "qp"):
            ids = vocabulary.ids(words_of(written.text(order)))
            assert text_of(vocabulary.words(ids)) == written.text(order)
    assert len(vocabulary) < 600


def test_tokens_that_are_taken_back_are_those_of_names_before_back():
    problems, n_back = ProblemSet(retry_rate=0.5, seed=2), 0
    for number in range(50):
        _, written, solution = problems.solved(number)
        words, mask = words_of(written.solution), taken_back(written, solution)
        expected = np.zeros(len(words), bool)
        for place in (i for i, word in enumerate(words) if word == "BACK"):
            first = max(i for i in range(place) if words[i] == "Define") + 1
            expected[first : place - 1] = True
            n_back += 1
        assert np.array_equal(mask, expected)
    assert n_back > 30
