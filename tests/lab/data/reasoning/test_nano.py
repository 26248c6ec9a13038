"""Problems of single symbols: what is drawn, written and read again, and that the checker sees every mistake."""

from collections import Counter

import numpy as np
import pytest
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.reasoning.check import check
from internal_physics.lab.data.reasoning.nano import (
    N_NAMES,
    VOCABULARY,
    NanoProblem,
    draw_problem,
    read_prompt,
    read_solution,
)
from internal_physics.lab.data.reasoning.retry import with_retries
from internal_physics.lab.data.reasoning.solve import level_1_solution
from internal_physics.lab.data.vocabulary import END_ID

TEXT = "<eos> b a 4 . c 1 2 . a 3 3 . d b a . ? d !"  # a = 1, b = 0, d = 1
RIGHT = "a 3 3 1 ; b 1 4 0 ; d 0 1 1 ; <eos>"


def ids(text: str) -> list[int]:
    return VOCABULARY.ids(text.split()).tolist()


@pytest.fixture(scope="module")
def drawn() -> list[NanoProblem]:
    draws = np.random.default_rng(0)
    return [draw_problem(draws, 1 + number % 4, 7) for number in range(1000)]


def error_of(text: str) -> str:
    problem = read_prompt(ids(TEXT))
    return check(problem.problem, read_solution(problem, ids(text))).error


class TestProblems:
    def test_the_query_needs_as_many_operations_as_asked_for(self, drawn):
        assert all(one.problem.n_operations == len(one.problem.needed) == 1 + k % 4 for k, one in enumerate(drawn))

    def test_texts_can_be_read_again(self, drawn):
        for one in drawn:
            again = read_prompt(one.prompt())
            assert again.prompt() == one.prompt()
            assert again.problem.answer == one.problem.answer

    def test_names_and_order_of_sentences_tell_nothing_of_the_order_of_computation(self, drawn):
        places = Counter(one.sentences.index(one.problem.query) for one in drawn)
        names = Counter(one.names[one.problem.query] for one in drawn)
        assert len(places) == 7
        assert max(places.values()) < 190  # 143 expected, standard deviation 11
        assert len(names) == N_NAMES
        assert max(names.values()) < 125  # 83 expected, standard deviation 9

    def test_without_free_numbers_only_what_must_be_is_a_number(self):
        one = draw_problem(np.random.default_rng(1), 4, 7, number_share=0.0)
        assert all(one.problem.dependencies[parameter] for parameter in range(1, 7))

    @pytest.mark.parametrize(("needed", "parameters"), [(0, 3), (4, 3), (2, 13)])
    def test_sizes_that_no_problem_has_are_refused(self, needed, parameters):
        with pytest.raises(ConfigError, match="needed parameters"):
            draw_problem(np.random.default_rng(0), needed, parameters)

    @pytest.mark.parametrize(
        "text", ["a 1 2 . ? b !", "a 1 b . ? a !", "a 1 2 . a 3 4 . ? a !", "a 1 2 ; ? a !", "? a !"]
    )
    def test_what_is_no_problem_is_refused(self, text):
        with pytest.raises(ConfigError, match="no problem"):
            read_prompt(ids(text))


class TestSolutions:
    def test_a_thousand_right_solutions_with_retries_pass(self, drawn):
        draws = np.random.default_rng(1)
        for one in drawn:
            solution = with_retries(one.problem, level_1_solution(one.problem, draws), 0.5, draws)
            tokens = one.solution(solution)
            assert tokens[-1] == END_ID
            verdict = check(one.problem, read_solution(one, tokens))
            assert (verdict.is_correct, verdict.level) == (True, 1)
            assert verdict.retries == sum(step.is_back for step in solution.steps)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            (RIGHT, ""),
            ("c 1 2 3 ; " + RIGHT, ""),  # not needed, but right
            ("d BACK ; " + RIGHT, ""),
            ("a 3 3 1 ; b 4 1 0 ; d 0 1 1 ; <eos>", ""),  # a sum in the other order
            ("b 1 4 0 ; a 3 3 1 ; d 0 1 1 ; <eos>", "not_ready"),
            ("a 3 3 1 ; a 3 3 1 ; b 1 4 0 ; d 0 1 1 ; <eos>", "redefinition"),
            ("a 3 2 0 ; b 1 4 0 ; d 0 1 1 ; <eos>", "wrong_operands"),
            ("a 3 3 2 ; b 1 4 0 ; d 0 1 1 ; <eos>", "arithmetic"),
            ("a 3 3 1 ; b 1 4 0 ; <eos>", "wrong_final"),
            ("a 3 3 1 ; b 1 4 0 ; d 0 1 1 ;", "unreadable"),
            ("a 3 3 1 ; b 1 4 ; d 0 1 1 ; <eos>", "unreadable"),
            ("a 3 3 1 ; f 1 4 0 ; d 0 1 1 ; <eos>", "unreadable"),
        ],
    )
    def test_the_first_mistake_has_its_kind(self, text, error):
        assert error_of(text) == error
