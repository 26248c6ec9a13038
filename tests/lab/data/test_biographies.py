"""Biographies: templates and orders are uniform, names stand where they should, and every value can be read back."""

import itertools
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from internal_physics.ground.errors import UserError
from internal_physics.lab import data
from internal_physics.lab.data.biographies import Augmentation, plan_biographies
from internal_physics.lab.data.people import draw_people
from internal_physics.lab.data.pools import ATTRIBUTES, natural_pools, symbolic_pools
from internal_physics.lab.data.symbolic import PROMPT_TOKENS, Language
from internal_physics.lab.data.texts import QUESTIONS, Writer, full_names, value_texts
from scipy import stats

AUGMENTATIONS = (
    Augmentation(),
    Augmentation(texts=5, permutations=1),
    Augmentation(texts=2, full_name=True, order="city_first"),
    Augmentation(permutations=2, permuted="pairs", name_in_sentence=3),
    Augmentation(name_in_sentence=7),
)


def written(augmentation, n=40, seed=2):
    people = draw_people(n, natural_pools(), seed)
    return people, Writer(people.pools).biographies(people, plan_biographies(people, augmentation, seed)).to_pandas()


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda augmentation: augmentation.name)
def test_every_value_stands_where_its_columns_say(augmentation):
    people, rows = written(augmentation)
    names, values = full_names(people).to_pylist(), people.values()
    texts = [value_texts(people.pools, name) for name in ATTRIBUTES]
    assert len(rows) == len(people) * augmentation.texts_per_person
    for row in rows.itertuples():
        assert row.biography[row.name_start : row.name_end] == names[row.person]
        for number, name in enumerate(ATTRIBUTES):
            start, end = getattr(row, f"{name}_start"), getattr(row, f"{name}_end")
            assert row.biography[start:end] == texts[number][values[row.person, number]]


@pytest.mark.parametrize(("augmentation", "names"), [*zip(AUGMENTATIONS, (1, 1, 6, 1, 1), strict=True)])
def test_a_biography_has_the_full_name_once_or_in_each_sentence(augmentation, names):
    people, rows = written(augmentation)
    full = full_names(people).to_pylist()
    assert {row.biography.count(full[row.person]) for row in rows.itertuples()} == {names}


def test_an_english_biography_can_be_read_back_by_a_pattern_alone():
    people, rows = written(Augmentation(), n=300)
    pools = people.pools
    for number, name in enumerate(ATTRIBUTES):
        leads = "|".join(sorted({re.escape(lead) for lead, _ in pools.templates[name]}, key=len, reverse=True))
        pattern = re.compile(rf"\b(?:{leads}) ({'|'.join(map(re.escape, value_texts(pools, name)[:400]))})(?:,|\.)")
        known = people.values()[:, number] < 400
        found = [pattern.search(text) is not None for text in rows["biography"]]
        assert np.mean(np.array(found)[known]) == 1.0


def test_the_fixed_order_is_the_stated_one():
    _, rows = written(Augmentation(order="city_first"))
    assert set(rows["order"]) == {"birth_date birth_city university major employer_city employer"}
    place = rows[[f"{name}_start" for name in ATTRIBUTES]].to_numpy()
    assert (np.argsort(place, axis=1) == [0, 1, 2, 3, 5, 4]).all()


def test_permuted_orders_are_uniform_over_all_720():
    people = draw_people(14_400, symbolic_pools(), seed=4)
    orders = plan_biographies(people, Augmentation(permutations=1), seed=4).order
    counts = np.unique(orders @ 6 ** np.arange(6), return_counts=True)[1]
    assert len(counts) == len(list(itertools.permutations(range(6))))
    assert stats.chisquare(counts).pvalue > 1e-4  # of a fixed seed


def test_permuted_pairs_stay_together():
    people = draw_people(600, symbolic_pools(), seed=4)
    orders = plan_biographies(people, Augmentation(permutations=1, permuted="pairs"), seed=4).order
    assert (orders[:, ::2] + 1 == orders[:, 1::2]).all() and (orders[:, ::2] % 2 == 0).all()
    assert len(np.unique(orders, axis=0)) == 6


def test_templates_are_uniform_and_other_in_each_text_but_the_same_in_permutations():
    people = draw_people(3000, natural_pools(), seed=6)
    plans = plan_biographies(people, Augmentation(texts=2), seed=6)
    assert stats.chisquare(np.bincount(plans.template[:, 3], minlength=50)).pvalue > 1e-4
    first, second = plans.template[::2], plans.template[1::2]
    assert 0.015 < (first == second).mean() < 0.025  # by chance 1/50
    permuted = plan_biographies(people, Augmentation(permutations=2), seed=6)
    by_attribute = np.take_along_axis(permuted.template, permuted.order.argsort(axis=1), axis=1)
    np.testing.assert_array_equal(by_attribute[::2], by_attribute[1::2])


def test_names_of_augmentations_are_those_of_the_papers():
    expected = ["single", "multi5+permute1", "multi2+fullname", "single+permute2_pairs+reverse2", "single+reverse6"]
    assert [augmentation.name for augmentation in AUGMENTATIONS] == expected


def test_an_impossible_augmentation_is_refused():
    with pytest.raises(UserError, match=r"augmentation\.name_in_sentence"):
        Augmentation(name_in_sentence=0)


def test_questions_and_answers_are_the_published_sentences():
    people = draw_people(3, natural_pools(), seed=0)
    name = full_names(people).to_pylist()[1]
    asked = Writer(people.pools).questions(people, "birth_date").to_pylist()[1]
    assert asked["question"] == f"What is the birth date of {name}? Answer:"
    assert re.fullmatch(r"[A-Z][a-z]+ \d{1,2}, (19|20)\d\d", asked["answer"])
    assert set(QUESTIONS) == set(ATTRIBUTES)


def test_files_have_all_people_and_do_not_depend_on_how_many_are_written(tmp_path):
    few = data.write_biographies(tmp_path / "few.parquet", 30, augmentation=Augmentation(texts=2), seed=9)
    data.write_biographies(tmp_path / "many.parquet", 90, augmentation=Augmentation(texts=2), seed=9)
    data.write_people(tmp_path / "people.parquet", few)
    data.write_questions(tmp_path / "questions.parquet", few)
    small, large = (pq.read_table(tmp_path / f"{name}.parquet").to_pandas() for name in ("few", "many"))
    assert small["biography"].tolist() == large["biography"].tolist()[:60]
    assert len(pq.read_table(tmp_path / "questions.parquet")) == 6 * 30
    assert pq.read_table(tmp_path / "people.parquet").column("name").to_pylist() == full_names(few).to_pylist()


def test_symbolic_rows_say_the_same_as_the_words_of_the_plan():
    people = draw_people(50, symbolic_pools(), seed=1)
    language, words = Language(people.pools), Language(people.pools).vocabulary
    plans = plan_biographies(people, Augmentation(texts=2, permutations=1), seed=1)
    rows = language.biographies(people, plans)
    texts = Writer(people.pools).biographies(people, plans).to_pandas()["biography"]
    for tokens, text in zip(rows.tokens, texts, strict=True):
        assert words.words(tokens) == text.replace(".", "").split()
    assert (rows.is_value.sum(axis=1) == 8).all() and (rows.is_name.sum(axis=1) == 3).all()
    assert rows.tokens.shape[1] == 3 + 5 + 12 + 8


def test_a_name_in_a_last_sentence_is_marked_there():
    people = draw_people(20, symbolic_pools(), seed=1)
    language = Language(people.pools)
    rows = language.biographies(people, plan_biographies(people, Augmentation(name_in_sentence=7), seed=1))
    np.testing.assert_array_equal(rows.tokens[:, -3:], language.name_ids(people))
    assert rows.is_name[:, -3:].all() and rows.is_name.sum() == 60


def test_symbolic_questions_end_with_their_answer():
    people = draw_people(20, symbolic_pools(), seed=1)
    language = Language(people.pools)
    rows = language.questions(people, np.array([4, 7]), np.array([0, 3]))
    prompt = language.vocabulary.words(rows.tokens[1, :PROMPT_TOKENS])
    assert prompt[:2] == ["<eos>", "major?"] and prompt[-1] == "answer:"
    assert language.vocabulary.words(rows.tokens[0])[PROMPT_TOKENS:][0].startswith("month")
    assert language.vocabulary.words(rows.tokens[1])[PROMPT_TOKENS:] == [
        people.pools.majors[people.major[7]],
        "<eos>",
        "<pad>",
        "<pad>",
    ]
    assert rows.is_value.sum(axis=1).tolist() == [3, 1]
