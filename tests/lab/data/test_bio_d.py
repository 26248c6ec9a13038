"""The people of bioD: unique names, distinct strings, and texts that say exactly what is known."""

import numpy as np
import pytest
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.bio_d import BioDSizes, draw_bio_d

SIZES = BioDSizes(people=50, attributes=3, chunks=2, diversity=10, chunk_tokens=2, value_tokens=7, name_pool=20)


def test_names_are_unique_and_strangers_have_others():
    data = draw_bio_d(SIZES, seed=0)
    assert len(set(data.names)) == 50
    strangers = data.names_of_strangers(200)
    assert len(set(strangers)) == 200 and not set(data.names) & set(strangers)
    np.testing.assert_array_equal(data.names_of_strangers(20), strangers[:20])
    with pytest.raises(ConfigError, match="300 strangers"):
        data.names_of_strangers(300)


def test_large_sizes_need_no_list_of_all_names_and_strings():
    large = BioDSizes(people=100, diversity=1000, chunk_tokens=50, value_tokens=40_000, name_pool=1000, name_tokens=3)
    data = draw_bio_d(large, seed=0)
    assert data.strings.shape == (4, 1000, 50) and data.names.max() > 10**8
    assert data.of_strangers(10, np.random.default_rng(0)).shape == (10, 1 + 3 + 4 * 51)


def test_strangers_never_have_the_name_of_a_person():
    crowded = draw_bio_d(BioDSizes(people=40, name_pool=9), seed=0)
    rows = crowded.of_strangers(2000, np.random.default_rng(0))
    names = (rows[:, 1:3] - crowded.vocabulary.ids(["name0"])[0]) @ [1, 9]
    assert not set(names.tolist()) & set(crowded.names.tolist()) and len(set(names.tolist())) == 81 - 40


def test_the_strings_of_an_attribute_differ():
    strings = draw_bio_d(SIZES, seed=0).strings
    assert strings.shape == (3, 10, 2) and strings.max() == 6
    assert all(len({tuple(string) for string in own}) == 10 for own in strings)


def test_a_row_says_name_and_values_in_any_order():
    data, draws = draw_bio_d(SIZES, seed=1), np.random.default_rng(0)
    rows, words = data.of_people(np.array([7] * 60), draws), data.vocabulary
    orders = set()
    for row in rows:
        said = words.words(row)
        assert said[0] == "<eos>"
        digits = [int(word.removeprefix("name")) for word in said[1:3]]
        assert digits[0] + 20 * digits[1] == data.names[7]
        attributes = [int(word.removeprefix("attribute")) for word in said[3::5]]
        orders.add(tuple(attributes))
        for place, attribute in enumerate(attributes):
            value = [int(word.removeprefix("value")) for word in said[4 + 5 * place : 8 + 5 * place]]
            assert value == data.strings[attribute, data.values[7, attribute]].reshape(-1).tolist()
    assert len(orders) == 6


def test_the_domain_token_follows_the_end_token():
    data = draw_bio_d(SIZES, seed=1)
    plain, marked = (data.of_people(np.arange(5), np.random.default_rng(0), domain=domain) for domain in (False, True))
    assert (marked[:, 1] == data.vocabulary.ids(["<domain>"])).all()
    np.testing.assert_array_equal(np.delete(marked, 1, axis=1), plain)


def test_a_text_in_words_has_the_published_form():
    text = draw_bio_d(BioDSizes(people=2, name_pool=9), seed=0).text(1, np.random.default_rng(0))
    assert text.count("'s ID ") == 1 and text.count("Her ID ") == 3 and text.count(" is value") == 4


@pytest.mark.parametrize(("wrong", "where"), [({"people": 201}, "people"), ({"diversity": 50}, "diversity")])
def test_sizes_that_are_not_possible_are_refused(wrong, where):
    with pytest.raises(ConfigError, match=f"sizes → {where}"):
        BioDSizes(**({"name_pool": 20, "value_tokens": 7, "chunk_tokens": 2, "diversity": 10} | wrong))
