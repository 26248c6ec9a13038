"""English problems: their graphs, laws and texts (T7)."""

import re
from collections import Counter

import numpy as np
import pytest
from golden_reasoning import LETTERS, SOLUTION, golden
from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.check import check
from internal_physics.lab.data.reasoning.expressions import leaves
from internal_physics.lab.data.reasoning.parameters import Abstract
from internal_physics.lab.data.reasoning.read import last_answer, read_solution
from internal_physics.lab.data.reasoning.retry import with_retries
from internal_physics.lab.data.reasoning.sizes import HARD, MEDIUM, ReasoningSizes, draw_operations
from internal_physics.lab.data.reasoning.solve import level_0_solution
from internal_physics.lab.data.reasoning.templates import N_BINS, TEST_BINS, TRAINING_BINS, template
from internal_physics.lab.data.reasoning.word_problem import WordProblem, ask_again, draw_word_problem
from internal_physics.lab.data.reasoning.worlds import worlds
from internal_physics.lab.data.reasoning.write import Written, question, solution_text, write
from scipy import stats


@pytest.fixture(scope="module")
def problems() -> list[WordProblem]:
    draws = np.random.default_rng(0)
    return [draw_word_problem(draws=draws) for _ in range(600)]


@pytest.fixture(scope="module")
def texts(problems: list[WordProblem]) -> list[Written]:
    draws = np.random.default_rng(1)
    return [write(problem, draws) for problem in problems]


def test_there_are_four_worlds_of_four_layers_with_100_items_and_no_item_twice():
    layers = [layer for world in worlds() for layer in world.layers]
    assert [len(world.layers) for world in worlds()] == [4] * 4
    assert all([len(kind) for kind in layer.items] == [20] * 5 for layer in layers)
    items = [item for layer in layers for kind in layer.items for item in kind]
    assert len(set(items)) == 1600 and len({layer.category for layer in layers}) == 16


def test_the_worked_example_of_the_paper_has_the_answer_16():
    given = golden()
    assert given.problem.answer == 16 and given.problem.n_operations == 7
    text, _ = solution_text(given.solution, given.parameters.names, LETTERS)
    assert text == SOLUTION and text.count(";") == 7
    assert check(given.problem, read_solution(f"{SOLUTION} Answer: 16.", given.parameters.names)).is_correct
    assert check(given.problem, read_solution(f"{SOLUTION} Answer: 15.", given.parameters.names)).error == "wrong_final"
    assert question(given.parameters, given.problem.query) == "How many Chests does Swift Sloop have?"


def test_sentences_read_as_the_published_ones_do():
    given = golden()
    text = write(given, np.random.default_rng(0)).problem
    assert {*re.findall(r"[^.]+\.", text.replace(". ", "."))} == {
        "The number of each Pilot Cabin's Oak Trunk equals 17.",
        "The number of each Chart Cabin's Pine Trunk equals 13.",
        "The number of each Swift Sloop's Chart Cabin equals the sum of each Pilot Cabin's Oak Trunk and each "
        "Chart Cabin's Pine Trunk.",
        "The number of each Chart Cabin's Oak Trunk equals 12 more than the sum of each Chart Cabin's Pine Trunk and "
        "each Swift Sloop's Chart Cabin.",
        "The number of each Brave Sloop's Pilot Cabin equals 2 times as much as each Chart Cabin's Chests.",
    }


def test_op_is_the_number_of_semicolons_and_follows_from_the_operands(problems, texts):
    for given, text in zip(problems, texts, strict=True):
        problem = given.problem
        operands = [len(list(leaves(problem.expressions[parameter]))) for parameter in problem.needed]
        assert problem.n_operations == sum(max(1, n - 1) for n in operands) == text.solution.count(";")


def test_the_solution_has_the_query_and_its_ancestors_and_no_more(problems):
    for given in problems:
        assert {*given.solution.computed} == given.problem.needed
        assert given.solution.computed[-1] == given.problem.query


def test_instances_have_at_most_four_operands_and_none_twice(problems):
    for given in problems:
        for expression in given.problem.expressions[: given.parameters.n_instances]:
            operands = list(leaves(expression))
            assert 1 <= len(operands) <= 4 and len(set(operands)) == len(operands)


def test_every_edge_of_the_structure_has_one_sentence_and_no_sentence_has_another_subject(problems, texts):
    for given, text in zip(problems, texts, strict=True):
        subjects = re.findall(r"The number of each ([^.]+?) equals ", text.problem)
        structure = given.parameters.structure
        names = [
            f"{structure.items[layer][item]}'s {structure.items[layer + 1][below]}"
            for layer, item, below in structure.edges
        ]
        assert sorted(subjects) == sorted(names) and len(set(names)) == len(names)
        assert text.problem.count(". ") == len(names) - 1


def test_every_item_below_the_first_layer_is_in_something_and_sizes_keep_their_limits(problems):
    for given in problems:
        structure = given.parameters.structure
        assert 2 <= len(structure.items) <= 4 and all(2 <= len(layer) <= 4 for layer in structure.items)
        contained = {(layer + 1, below) for layer, _, below in structure.edges}
        assert contained == {(i, j) for i, layer in enumerate(structure.items) if i for j in range(len(layer))}
        assert len(structure.edges) <= MEDIUM.most_instances


def _count(given: WordProblem, layer: int, item: int, category: int) -> int:
    """How many things of a category are in an item, by a loop over all items below."""
    if layer == category:
        return 1
    structure = given.parameters.structure
    numbers = dict(zip(structure.edges, given.problem.values, strict=False))
    below = range(len(structure.items[layer + 1]))
    return sum(numbers.get((layer, item, x), 0) * _count(given, layer + 1, x, category) for x in below)


def test_abstract_parameters_count_what_a_loop_over_the_structure_counts(problems):
    for given in problems[:200]:
        for parameter, value in zip(given.parameters.all, given.problem.values, strict=True):
            if isinstance(parameter, Abstract):
                assert value == _count(given, parameter.layer, parameter.item, parameter.category) % 23


def test_the_arithmetic_of_the_text_is_right(problems, texts):
    n_equations = 0
    for given, text in zip(problems, texts, strict=True):
        for left, operator, right, result in re.findall(r"= (\d+) ([-+*]) (\d+) = (\d+)", text.solution):
            assert eval(f"({left} {operator} {right}) % 23") == int(result)
            n_equations += 1
        last = re.search(r"(\d+)\.$", text.solution)
        assert last and int(last[1]) == text.answer == given.problem.answer
        assert text.text().endswith(f" Answer: {text.answer}.")
    assert n_equations > 1500


def test_a_written_solution_is_read_back_and_passes_the_check(problems, texts):
    draws = np.random.default_rng(2)
    for given, text in zip(problems, texts, strict=True):
        names = given.parameters.names
        assert read_solution(text.completion(), names) == given.solution
        longer = with_retries(given.problem, given.solution, 0.5, draws)
        written = write(given, draws, longer)
        read = read_solution(written.completion(), names)
        assert read == longer and check(given.problem, read).is_correct
        found = [written.solution[first:end] for first, end in written.name_spans]
        assert found == [names[step.parameter] for step in longer.steps]


def test_a_solution_of_everything_that_is_computed_is_level_0(problems):
    draws = np.random.default_rng(3)
    for given in problems[:100]:
        verdict = check(given.problem, level_0_solution(given.problem, draws))
        assert verdict.is_correct and verdict.level == (1 if len(given.problem.needed) == len(given.problem) else 0)


AGAIN = "Define Chart Cabin's Pine Trunk as q; so q = 13."
NEEDLESS = "Define Swift Sloop's Cabins as k; so k = B = 7."


@pytest.mark.parametrize(
    ("old", "new", "kind", "step"),
    [
        ("Define Pilot Cabin's Oak Trunk as p; so p = 17. ", "", "not_ready", 1),
        (
            "Define Chart Cabin's Oak",
            "Define Chart Cabin's Pine Trunk as q; so q = 13. Define Chart Cabin's Oak",
            "redefinition",
            3,
        ),
        ("17 + 13 = 7", "17 + 13 = 8", "arithmetic", 2),
        ("17 + 13 = 7", "17 + 12 = 6", "arithmetic", 2),
        ("p = 17.", "p = 16.", "wrong_operands", 0),
        ("B = p + W = 17 + 13", "B = p + p = 17 + 17", "wrong_operands", 2),
        ("R = W + B", "R = W + z", "wrong_operands", 3),
        ("c = B * w", "c = R * w", "wrong_operands", 5),
        ("so w = g", "w = g", "unreadable", 4),
        (
            "Swift Sloop's Chests",
            "Swift Sloop's Cabins as k; so k = B = 7. Define Merry Sloop's Chests",
            "unreadable",
            6,
        ),
        (" Define Swift Sloop's Chests as c; so c = B * w = 7 * 22 = 16.", "", "wrong_final", 5),
        ("so c = B * w = 7 * 22 = 16.", "so c = B * w = 7 * 22 =", "unreadable", 5),
    ],
)
def test_a_mutated_text_fails_with_the_right_kind(old, new, kind, step):
    given = golden()
    assert SOLUTION.count(old) == 1
    verdict = check(given.problem, read_solution(f"{SOLUTION.replace(old, new)} Answer: 16.", given.parameters.names))
    assert (verdict.error, verdict.step) == (kind, step)


@pytest.mark.parametrize(
    ("old", "new", "kind", "step"),
    [
        (" Answer: 16.", "", "wrong_final", 6),
        (" Answer: 16.", " Answer: 016.", "unreadable", 6),
        (" Answer: 16.", " Answer: ١٦.", "unreadable", 6),
        (" Answer: 16.", f" Answer: {'9' * 5000}.", "unreadable", 6),
        (" Answer: 16.", f" Answer: {'9' * 18}.", "wrong_final", 6),
        ("so p = 17.", "so p = 017.", "unreadable", 0),
        ("so p = 17.", "so p = １７.", "unreadable", 0),
        ("17 + 13 = 7", f"17 + 13 = {'9' * 5000}", "unreadable", 2),
        ("17 + 13 = 7", f"17 + 13 = {'9' * 18}", "arithmetic", 2),
    ],
)
def test_a_solution_needs_an_answer_and_numbers_are_written_one_way(old, new, kind, step):
    given, text = golden(), f"{SOLUTION} Answer: 16."
    assert text.count(old) == 1
    verdict = check(given.problem, read_solution(text.replace(old, new), given.parameters.names))
    assert (verdict.error, verdict.step) == (kind, step) and verdict.level is None


@pytest.mark.parametrize(("letter", "kind", "step"), [("p", "", None), ("W", "wrong_operands", 4)])
def test_a_letter_stands_for_what_took_it_last(letter, kind, step):
    """p is not read again, W is."""
    given, old = golden(), "R = W + B = 13 + 7 = 20; so g = 12 + R"
    assert SOLUTION.count(old) == 1
    text = SOLUTION.replace(old, f"{letter} = W + B = 13 + 7 = 20; so g = 12 + {letter}")
    verdict = check(given.problem, read_solution(f"{text} Answer: 16.", given.parameters.names))
    assert (verdict.error, verdict.step) == (kind, step)


def test_the_last_answer_of_a_text_is_found_whatever_is_before_it():
    assert last_answer("Define something as. Answer: 3. so Answer: 16.") == 16
    assert last_answer(SOLUTION) is last_answer("Answer: 016.") is None


def test_op_is_the_smaller_of_two_uniform_draws(problems):
    seen = Counter(given.problem.n_operations for given in problems)
    most = MEDIUM.most_operations
    expected = [600 * (2 * (most - k) + 1) / most**2 for k in range(1, most + 1)]
    observed = [seen[k] for k in range(1, most + 1)]
    # the last three cells together: each alone expects fewer than 15
    observed, expected = [*observed[:-3], sum(observed[-3:])], [*expected[:-3], sum(expected[-3:])]
    assert stats.chisquare(observed, expected).pvalue > 1e-3  # one seed; a wrong law gives less than 1e-10
    assert sum(observed) == 600


def test_training_and_test_problems_have_no_template_in_common():
    draws = np.random.default_rng(5)
    assert not {*TRAINING_BINS} & {*TEST_BINS} and {*TRAINING_BINS, *TEST_BINS} == {*range(N_BINS)}
    templates = []
    for bins in (TRAINING_BINS, TEST_BINS):
        drawn = [draw_word_problem(ReasoningSizes(most_operations=6), draws=draws, bins=bins) for _ in range(150)]
        assert all(given.template_bin in bins for given in drawn)
        templates.append({template(given.solution, given.parameters.n_instances) for given in drawn})
        assert (min(given.problem.n_operations for given in drawn) == 1) == (bins is TRAINING_BINS)
    assert not templates[0] & templates[1] and min(map(len, templates)) > 50


def test_a_template_forgets_names_numbers_and_letters():
    assert template(golden().solution, 5) == (
        "Define Inst as v0; so v0 = 0. Define Inst as v1; so v1 = 0. Define Inst as v2; so v2 = v0 + v1 = 0 + 0 = 0. "
        "Define Inst as v3; v4 = v1 + v2 = 0 + 0 = 0; so v3 = 0 + v4 = 0 + 0 = 0. "
        "Define Abs as v5; so v5 = v3 + v1 = 0 + 0 = 0. Define Abs as v6; so v6 = v2 * v5 = 0 * 0 = 0."
    )


def test_another_question_about_the_same_things_has_its_own_op(problems):
    draws = np.random.default_rng(6)
    changed = 0
    large = [given for given in problems if given.problem.n_operations > 4][:100]
    for given in large:
        again = ask_again(given, draws=draws, bins=TRAINING_BINS)
        assert again.problem.expressions == given.problem.expressions and again.template_bin in TRAINING_BINS
        assert check(again.problem, again.solution).level == 1
        changed += again.problem.n_operations != given.problem.n_operations
    assert changed > 60


@pytest.mark.parametrize(("sizes", "operations"), [(MEDIUM, 23), (HARD, 32), (MEDIUM, 1)])
def test_problems_beyond_the_training_sizes_have_the_op_that_is_asked_for(sizes, operations):
    given = draw_word_problem(sizes, draws=np.random.default_rng(7), operations=operations)
    assert given.problem.n_operations == operations


def test_the_same_seed_gives_the_same_problem_and_both_orders_have_the_same_parts():
    first, second = (draw_word_problem(draws=np.random.default_rng(8)) for _ in range(2))
    assert first == second
    text = write(first, np.random.default_rng(9))
    assert text.text("pq") == f"{text.problem} {text.question} {text.completion()}"
    assert text.text("qp") == f"{text.question} {text.problem} {text.completion()}"


def test_what_cannot_be_is_refused():
    draws = np.random.default_rng(10)
    with pytest.raises(UserError, match="no problem of 53 operations"):
        draw_word_problem(draws=draws, operations=53)
    with pytest.raises(UserError, match="no problem of 1 operations"):
        draw_word_problem(draws=draws, operations=1, bins=TEST_BINS)
    with pytest.raises(UserError, match=r"bins \[23\]"):
        draw_word_problem(draws=draws, bins=[23])
    with pytest.raises(UserError, match="no question"):
        ask_again(golden(), draws=draws, bins=[0])
    with pytest.raises(UserError, match="most_instances"):
        ReasoningSizes(most_instances=1)
    with pytest.raises(UserError, match="no order 'q'"):
        write(golden(), draws).prompt("q")
    with pytest.raises(UserError, match="more variables"):
        solution_text(golden().solution, golden().parameters.names, "abc")


@pytest.mark.parametrize("most", [2, 3, 5, 8, 11])
def test_a_small_limit_of_sentences_is_kept(most):
    draws, sizes = np.random.default_rng(11), ReasoningSizes(most_operations=5, most_instances=most)
    numbers = {draw_word_problem(sizes, draws=draws).parameters.n_instances for _ in range(150)}
    assert min(numbers) == 2 and max(numbers) == most


def test_op_is_drawn_between_1_and_its_limit():
    from random import Random

    random = Random(0)
    drawn = {draw_operations(ReasoningSizes(most_operations=3), random) for _ in range(100)}
    assert drawn == {1, 2, 3}
