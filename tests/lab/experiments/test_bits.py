"""Counts of bits: published numbers, a model that knows everything, and one that knows nothing."""

import math

import pytest
from internal_physics.lab.experiments.capacity.bits import (
    DataCounts,
    bio_d_counts,
    bits_learned,
    bits_of_data,
    log2_binomial,
    most_bits,
    published_notes_bits,
)

NAMES, VALUES = 400 * 400 * 1000, 2 * (12 * 28 * 200) * 200 * 300 * 100 * 263
SMALL = {
    "people": 200,
    "names": 10_000,
    "attributes": 4,
    "chunks": 1,
    "diversity": 64,
    "chunk_tokens": 1,
    "value_tokens": 64,
}
LARGE = {
    "people": 10_000,
    "names": NAMES,
    "attributes": 6,
    "chunks": 2,
    "diversity": 100,
    "chunk_tokens": 2,
    "value_tokens": 50,
}


@pytest.mark.parametrize(
    ("people", "bits"), [(10_000, 61.56), (100_000, 58.24), (1_000_000, 54.91), (20_000_000, 50.59)]
)
def test_bits_of_a_person_of_bios(people, bits):
    assert most_bits(DataCounts(people, NAMES, VALUES)).total / people == pytest.approx(bits, abs=0.005)


def test_twenty_million_people_are_a_billion_bits():
    assert most_bits(DataCounts(20_000_000, NAMES, VALUES)).total == pytest.approx(1.0118e9, rel=1e-4)


def test_bits_of_the_small_bio_d():
    counts = bio_d_counts(**SMALL)
    exact = bits_of_data(counts)
    assert (exact.name, exact.value, exact.diversity) == pytest.approx((1409.3, 4800.0, 0.0), abs=0.05)
    assert most_bits(counts).total == pytest.approx(5928.8, abs=0.05)
    assert published_notes_bits(**SMALL) == pytest.approx(1457.3, abs=0.05)


def test_bits_of_the_large_bio_d():
    counts = bio_d_counts(**LARGE)
    exact = bits_of_data(counts)
    assert (exact.name, exact.value, exact.diversity) == pytest.approx((154076.4, 797262.7, 3606.7), abs=0.05)
    assert most_bits(counts).total == pytest.approx(939706.9, abs=0.05)
    assert published_notes_bits(**LARGE) == pytest.approx(214177.8, abs=0.05)


@pytest.mark.parametrize("sizes", [SMALL, LARGE])
def test_a_model_that_knows_everything_has_all_bits(sizes):
    counts = bio_d_counts(**sizes)
    learned = bits_learned(counts, name_nats=math.log(counts.people), value_nats=0.0, first_chunk_nats=0.0)
    assert learned.total == pytest.approx(most_bits(counts).total, rel=1e-12)


def test_a_uniform_guess_has_no_bits_of_values_and_a_worse_one_negative_bits():
    counts = bio_d_counts(**SMALL)
    guess = 4 * math.log(64)
    assert bits_learned(counts, name_nats=math.log(10_000), value_nats=guess).total == pytest.approx(0.0, abs=1e-9)
    assert bits_learned(counts, name_nats=0.0, value_nats=2 * guess).value == pytest.approx(-4800)


def test_the_city_of_an_employer_adds_no_bits():
    from internal_physics.lab.data.pools import natural_pools

    assert natural_pools().n_values == VALUES  # without a factor for the city


@pytest.mark.parametrize(("n", "k"), [(10, 3), (60, 30), (5000, 2500), (10**18, 3), (7, 7), (7, 0)])
def test_binomials_agree_with_whole_numbers(n, k):
    assert log2_binomial(n, k) == pytest.approx(math.log2(math.comb(n, k)), rel=1e-10, abs=1e-12)


def test_many_factors_agree_with_few():
    few = sum(math.log2((3_000_000 - i) / (i + 1)) for i in range(1_400_000))
    assert log2_binomial(3_000_000, 1_400_000) == pytest.approx(few, rel=1e-9)
    with pytest.raises(ValueError, match="cannot be chosen"):
        log2_binomial(3, 4)
