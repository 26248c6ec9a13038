"""Grammars: their files, the random builder, and what follows from the rules alone."""

import math
from collections import Counter

import numpy as np
import pytest
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.grammars.build import GRAMMAR_SHAPES, GrammarShape, build_grammar
from internal_physics.lab.data.grammars.forest import sample_forest
from internal_physics.lab.data.grammars.grammar import Grammar
from internal_physics.lab.data.grammars.laws import grammar_facts, length_bounds, length_law, n_trees
from internal_physics.lab.data.grammars.read import grammar_named, grammar_names, read_grammar
from scipy import stats
from tiny_grammars import AMBIGUOUS, TINY, derivations

# Published facts of the two grammars: shortest, mean and longest string, log10 of trees, nats per token.
PUBLISHED = {"cfg3b": (138, 275.6, 432, 64.3, 0.4241), "cfg3f": (64, 249.9, 729, 166.1, 0.7423)}
PARTS = {13: (8, 17.7, 27, 0.654), 16: (16, 40.0, 81, 0.717)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_lengths_trees_and_entropy_are_the_published_ones(name):
    found = grammar_facts(grammar_named(name))
    shortest, mean, longest, log10_trees, entropy = PUBLISHED[name]
    assert (found.shortest, found.longest) == (shortest, longest)
    assert found.mean == pytest.approx(mean, abs=0.05)  # published to one digit
    assert found.log10_trees == pytest.approx(log10_trees, abs=0.05)
    assert found.entropy_nats_per_token == pytest.approx(entropy, abs=5e-5)


@pytest.mark.parametrize("root", PARTS)
def test_a_part_of_a_grammar_has_the_known_lengths_and_keeps_its_ids(root):
    part = grammar_named("cfg3f", root)
    found = grammar_facts(part)
    assert (found.shortest, found.longest) == (PARTS[root][0], PARTS[root][2])
    assert found.mean == pytest.approx(PARTS[root][1], abs=0.05)
    assert found.entropy_nats_per_token == pytest.approx(PARTS[root][3], abs=5e-4)
    assert part.ids == ((root,), *grammar_named("cfg3f").ids[-part.depth :])
    assert part.level_name(part.depth - 1) == "NT6"


@pytest.mark.parametrize("grammar", [TINY, AMBIGUOUS], ids=lambda grammar: grammar.name)
def test_laws_equal_those_of_all_derivations_written_out(grammar):
    all_of_them = derivations(grammar)
    law = Counter()
    for string, probability in all_of_them:
        law[len(string)] += probability
    assert length_law(grammar) == pytest.approx([law[n] for n in range(max(law) + 1)], rel=1e-12)
    assert length_bounds(grammar) == (min(law), max(law))
    assert n_trees(grammar) == len(all_of_them)
    entropy = -sum(p * math.log(p) for _, p in all_of_them)
    mean = sum(n * p for n, p in law.items())
    assert grammar_facts(grammar).entropy_nats_per_token == pytest.approx(entropy / (mean + 1), rel=1e-12)


@pytest.mark.parametrize(("name", "root"), [("cfg3b", None), ("cfg3f", None), ("cfg3f", 13)])
def test_sampled_lengths_follow_the_exact_law(name, root):
    grammar = grammar_named(name, root)
    law = length_law(grammar)
    assert law.sum() == pytest.approx(1, abs=1e-12)
    lengths = sample_forest(grammar, 3000, np.random.default_rng(5)).lengths
    groups = np.minimum((np.cumsum(law) * 20).astype(int), 19)  # of about equal probability
    seen = np.bincount(groups[lengths], minlength=20)
    expected = np.bincount(groups, weights=law, minlength=20) * 3000
    chosen = expected > 0
    assert stats.chisquare(seen[chosen], expected[chosen] * 3000 / expected[chosen].sum()).pvalue > 1e-3


@pytest.mark.parametrize("name", GRAMMAR_SHAPES)
def test_a_random_grammar_has_its_shape(name):
    """The published grammars of these shapes have rules of their own; only what the shape says can be asserted."""
    shape, grammar = GRAMMAR_SHAPES[name], build_grammar(GRAMMAR_SHAPES[name], seed=3)
    assert tuple(len(level) for level in grammar.ids) == shape.sizes
    assert grammar.ids[-1] == tuple(range(1, shape.sizes[-1] + 1))
    assert grammar.ids[-2][0] == shape.sizes[-1] + 4
    assert grammar.ids[0][0] == shape.sizes[-1] + 3 + sum(shape.sizes[:-1])
    for level in grammar.rules:
        rules = [rule for of_symbol in level for rule in of_symbol]
        assert len(set(rules)) == len(rules)
        assert {len(rule) for rule in rules} <= {2, 3}
        assert all(shape.repeats_symbols or len(set(rule)) == len(rule) for rule in rules)
        assert all(shape.rules_per_symbol[0] <= len(of) <= shape.rules_per_symbol[1] for of in level)
    assert 2**grammar.depth <= length_bounds(grammar)[0] < length_bounds(grammar)[1] <= 3**grammar.depth


def test_ids_of_the_files_are_those_that_a_builder_counts():
    assert grammar_named("cfg3f").ids == build_grammar(GRAMMAR_SHAPES["cfg3f"], seed=0).ids


def test_the_seed_decides_about_a_random_grammar():
    assert build_grammar(GRAMMAR_SHAPES["cfg3h"], 1) == build_grammar(GRAMMAR_SHAPES["cfg3h"], 1)
    assert build_grammar(GRAMMAR_SHAPES["cfg3h"], 1).rules != build_grammar(GRAMMAR_SHAPES["cfg3h"], 2).rules


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (GrammarShape((1, 2), (7, 7), (2, 2)), "4 distinct right-hand sides are not enough"),
        (GrammarShape((2, 2), (1, 1)), "one symbol at the root"),
        (GrammarShape((1, 2), (3, 2)), "1 ≤ low ≤ high"),
    ],
)
def test_a_shape_without_a_grammar_is_refused(shape, words):
    with pytest.raises(ConfigError, match=words):
        build_grammar(shape, 0)


def test_unknown_names_and_roots_are_refused():
    assert grammar_names() == ("cfg3b", "cfg3f")
    with pytest.raises(ConfigError, match="did you mean 'cfg3b'"):
        grammar_named("cfg3bb")
    with pytest.raises(ConfigError, match="no rules for symbol 2"):
        grammar_named("cfg3f", 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("levels: [[2], [1]]", "exactly the keys"),
        ("levels: [[2], [1]]\nrules: {2: [[1, 3]]}", "leaves the next level"),
        ("levels: [[2], [1]]\nrules: {2: [[]]}", "another form"),
        ("levels: [[3, 2], [1]]\nrules: {2: [[1]], 3: [[1]]}", "2 symbols at the root"),
        ("levels: [[1], [1]]\nrules: {1: [[1]]}", "not distinct"),
        ("levels: [[2], [1]]\nrules: {3: [[1]]}", "above the terminals"),
    ],
)
def test_a_file_that_is_no_grammar_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_grammar(path)
    assert "mine.yaml" in str(caught.value)


def test_a_grammar_of_the_user_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("levels: [[9], [1, 2]]\nrules: {9: [[1, 2], [2]]}")
    assert read_grammar(path) == Grammar("mine", ((9,), (1, 2)), ((((0, 1), (1,)),),))
