"""People: sizes of the lists, unique names, independent draws, employers with one city each."""

import dataclasses

import numpy as np
import pytest
from internal_physics.ground.errors import UserError
from internal_physics.lab.data.people import draw_people
from internal_physics.lab.data.pools import ATTRIBUTES, natural_pools, symbolic_pools
from scipy import stats


def test_the_lists_have_the_sizes_of_bios():
    pools = natural_pools()
    sizes = [len(words) for words in (pools.first, pools.middle, pools.last, pools.cities, pools.universities)]
    assert sizes == [400, 400, 1000, 200, 300]
    assert [len(pools.majors), len(pools.employers), len(pools.years)] == [100, 263, 200]
    assert {name: len(given) for name, given in pools.templates.items()} == dict.fromkeys(ATTRIBUTES, 50)
    assert pools.n_names == 160_000_000
    assert pools.n_values == 2 * (12 * 28 * 200) * 200 * 300 * 100 * 263


def test_the_largest_city_of_employers_has_36_of_263():
    counts = np.bincount(natural_pools().city_of_employer)
    assert (counts.max(), counts.sum(), len(counts)) == (36, 263, 133)


def test_an_employer_has_one_city():
    people = draw_people(2000, natural_pools(), seed=3)
    pairs = {*zip(people.employer.tolist(), people.employer_city.tolist(), strict=True)}
    assert len(pairs) == len({employer for employer, _ in pairs})


def test_no_two_people_share_a_name_even_where_names_are_few():
    pools = symbolic_pools()
    few = dataclasses.replace(pools, first=pools.first[:10], middle=pools.middle[:10], last=pools.last[:10])
    people = draw_people(500, few, seed=0)
    assert len({*zip(people.first.tolist(), people.middle.tolist(), people.last.tolist(), strict=True)}) == 500
    with pytest.raises(UserError, match="501 people cannot be drawn"):
        draw_people(501, few, seed=0)


def test_the_first_people_are_the_same_however_many_are_drawn():
    few, many = draw_people(101, natural_pools(), seed=5), draw_people(9001, natural_pools(), seed=5)
    for name in ("first", "middle", "last", "pronoun", "day", "year", "employer"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:101])


def test_another_seed_gives_other_people():
    assert (draw_people(50, natural_pools(), 0).last != draw_people(50, natural_pools(), 1).last).mean() > 0.9


def test_values_are_uniform_and_do_not_depend_on_each_other():
    people = draw_people(20_000, natural_pools(), seed=1)
    counts = np.bincount(people.city, minlength=200)
    assert stats.chisquare(counts).pvalue > 1e-4  # of a fixed seed: a bias of 10 % would give less
    both = np.zeros((100, 12))
    np.add.at(both, (people.major, people.month), 1)
    assert stats.chi2_contingency(both).pvalue > 1e-4


def test_lists_with_a_word_twice_are_refused():
    pools = symbolic_pools()
    with pytest.raises(UserError, match="majors"):
        dataclasses.replace(pools, majors=("a", "a"))


@pytest.mark.parametrize("n", [0, -1, 1.5, "10", None])
def test_what_is_no_number_of_people_is_refused(n):
    with pytest.raises(UserError, match="people cannot be drawn") as error:
        draw_people(n, natural_pools(), 0)
    assert error.value.expected.startswith("a whole number, 1 to 80000000")


def test_numpys_whole_numbers_are_numbers_of_people():
    assert len(draw_people(np.int64(3), natural_pools(), 0)) == 3


def test_people_are_shown_in_a_line_because_their_lists_fill_pages():
    shown = repr(draw_people(1234, natural_pools(), 0))
    assert (
        shown
        == f"People(1,234 people, Pools(160,000,000 full names, {natural_pools().n_values:,} combinations of values))"
    )
