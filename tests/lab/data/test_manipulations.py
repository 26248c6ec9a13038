"""Questions that manipulate what is known have the answers that the people's values give."""

import numpy as np
import pytest
from internal_physics.lab.data.manipulations import pool_of, tasks_of
from internal_physics.lab.data.people import draw_people
from internal_physics.lab.data.pools import symbolic_pools
from internal_physics.lab.data.symbolic import Language

PEOPLE = draw_people(30, symbolic_pools(), seed=2)
LANGUAGE = Language(PEOPLE.pools)
PERSONS = np.array([3, 8, 21])
WORDS = LANGUAGE.vocabulary


def said(task, row):
    return WORDS.words(task.prompts[row]), WORDS.words(task.answers[row])


def name_of(person):
    return WORDS.words(LANGUAGE.name_ids(PEOPLE)[person])


def test_parity_is_that_of_the_month_with_and_without_a_hint():
    plain, hinted = tasks_of("parity", LANGUAGE, PEOPLE, PERSONS, seed=0)
    for row, person in enumerate(PERSONS):
        month = PEOPLE.month[person]
        answer = "he" if (month + 1) % 2 == 0 else "she"  # January is the first month
        assert said(plain, row) == (["<eos>", "parity?", *name_of(person), "answer:"], [answer])
        assert said(hinted, row)[1] == [f"month{month}", answer]


def test_pairs_are_compared_by_month_and_never_have_the_same():
    (task,) = tasks_of("comparison", LANGUAGE, PEOPLE, np.arange(30), seed=0)
    month_of = {tuple(name_of(person)): PEOPLE.month[person] for person in range(30)}
    for row in range(len(task.prompts)):
        prompt, answer = said(task, row)
        first, second = month_of[tuple(prompt[2:5])], month_of[tuple(prompt[5:8])]
        assert first != second and answer == ["he" if first > second else "she"]
    assert 0.4 < (task.answers == task.answers[0]).mean() < 0.6


def test_the_year_is_asked_for_alone_and_the_inverse_names_the_first_name():
    (year,) = tasks_of("year", LANGUAGE, PEOPLE, PERSONS, seed=0)
    assert said(year, 1) == (["<eos>", "year?", *name_of(8), "answer:"], [f"year{PEOPLE.year[8]}"])
    (inverse,) = tasks_of("inverse", LANGUAGE, PEOPLE, PERSONS, seed=0)
    prompt, answer = said(inverse, 2)
    assert (len(prompt), prompt[5], answer) == (11, f"city{PEOPLE.city[21]}", name_of(21)[:1])


@pytest.mark.parametrize(("training", "words"), [("parity", {1, 2}), ("inverse", {1})])
def test_a_pool_has_answers_and_ends(training, words):
    tasks = tasks_of(training, LANGUAGE, PEOPLE, PERSONS, seed=0)
    tokens, is_answer = pool_of(tasks)
    assert set(is_answer.sum(axis=1)) == words
    assert ((tokens == 0).sum(axis=1) == 2).all()
    answers = np.concatenate([task.answers.reshape(-1) for task in tasks])
    np.testing.assert_array_equal(tokens[is_answer], answers)
