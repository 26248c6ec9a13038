"""The experiment `word_problems`: its windows, what a model writes, its table and figure."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from figure_texts import visible_texts
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.config.options.lab_word_problems import WordProblemsData, WordProblemsMeasures
from internal_physics.lab.data.reasoning.english import english_vocabulary, text_of
from internal_physics.lab.data.reasoning.templates import TEST_BINS
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.word_problems.data import batches, problem_set
from internal_physics.lab.experiments.word_problems.experiment import LAB_WORD_PROBLEMS
from internal_physics.lab.experiments.word_problems.figures import lab_word_problems
from internal_physics.lab.experiments.word_problems.measures import measure
from internal_physics.lab.experiments.word_problems.solving import continue_prompts, judged
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.tables.conform import conform

DATA = WordProblemsData(operations=3, instances=6, steps=3, windows_per_step=2, tokens_per_window=300)
VOCABULARY = english_vocabulary(23)


@pytest.mark.parametrize("order", ["pq", "qp"])
def test_windows_are_full_of_whole_texts_of_training_but_for_the_last_of_each(order):
    given = batches(replace(DATA, order=order), 4)
    problems = given.problems
    for step in range(given.steps):
        batch = given.at(step)
        assert batch.tokens.shape == (2, 300) and np.array_equal(batch.tokens, given.at(step).tokens)
        for row, (tokens, weights) in enumerate(zip(batch.tokens, batch.loss_weights, strict=True)):
            assert tokens[0] == 0 and weights[0] == 0 and (weights[1:] == 1).all()
            texts = np.split(tokens, np.flatnonzero(tokens == 0))[1:]
            first = (step * 2 + row) * (1 << 12)
            for number, text in enumerate(texts):
                drawn, written = problems.written(first + number)
                assert drawn.template_bin not in TEST_BINS
                expected, found = written.text(order), text_of(VOCABULARY.words(text[1:]))
                assert found == expected if number < len(texts) - 1 else expected.startswith(found)


def test_names_that_are_taken_back_have_no_loss_unless_it_is_asked_for():
    retries = replace(DATA, retry_rate=0.6)
    masked, plain = (batches(replace(retries, masks_retries=masks), 0).at(0) for masks in (True, False))
    assert np.array_equal(masked.tokens, plain.tokens) and (plain.loss_weights[:, 1:] == 1).all()
    n_back = 0
    for tokens, weights in zip(masked.tokens, masked.loss_weights, strict=True):
        words = VOCABULARY.words(tokens)
        begins = [place for place, word in enumerate(words) if word == "Define"]
        expected = np.zeros(begins[-1], bool)  # the last sentence may be cut off before it says BACK
        for begin in begins[:-1]:
            end = words.index("as", begin)
            expected[begin + 1 : end] = words[end + 1] == "BACK"
        assert np.array_equal(weights[1 : begins[-1]] == 0, expected[1:])
        n_back += expected.sum()
    assert n_back > 0


@pytest.fixture(scope="module")
def model():
    options = LabModelOptions(layers=1, width=16, heads=2, norm="rms", biases=False)
    built = build_model(lab_config(options, VOCABULARY, 300), 0).eval()
    with torch.no_grad():
        for number, weight in enumerate(built.parameters()):  # so large that no two logits are near each other
            weight.normal_(generator=torch.Generator().manual_seed(number))
    return built


def test_prompts_of_different_lengths_are_continued_as_if_each_were_alone(model):
    draws = np.random.default_rng(0)
    prompts = [[0, *draws.integers(2, len(VOCABULARY), size=size)] for size in (3, 9, 5)]
    together = continue_prompts(model, prompts, 12)
    assert together == [continue_prompts(model, [prompt], 12)[0] for prompt in prompts]
    assert max(map(len, together)) == 12 and len({tuple(tokens) for tokens in together}) == 3


def test_a_right_solution_is_judged_right_and_another_answer_wrong():
    given, written = problem_set(DATA, 0, TEST_BINS, operations=3).written(0)
    right = judged(given, written.completion())
    wrong = judged(given, written.completion().replace("Answer: ", "Answer: 9"))
    assert right.verdict.is_correct and right.has_right_answer
    assert wrong.verdict.error == "wrong_final" and not wrong.has_right_answer
    guessed = judged(given, written.completion().replace("Define", "Then", 1))
    assert guessed.verdict.error == "unreadable" and guessed.has_right_answer  # however it came about
    without = judged(given, written.solution)
    assert without.verdict.error == "wrong_final" and not without.has_right_answer


def test_the_table_has_every_op_of_training_and_beyond_and_its_figure_shows_it(model, tmp_path):
    save_model(model, VOCABULARY, tmp_path)
    options = WordProblemsMeasures(n_problems=2, beyond=(1,))
    small = replace(DATA, operations=2, instances=4)
    found = measure(Trained("a", 0, small, {3: str(tmp_path)}), options)["lab_word_problems"]
    table = conform(found.assign(arm="a", seed=0), LAB_WORD_PROBLEMS)
    assert table["operations"].tolist() == [2, 2, 3, 3]
    assert table["in_training"].tolist() == [True] * 2 + [False] * 2
    assert (table["n_problems"] == 2).all() and (table["accuracy"] <= table["answer_accuracy"]).all()
    figure = lab_word_problems.draw(table)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [2, 3]
    assert [text.get_text() for text in figure.axes[2].texts] == ["no solution is correct"]
    assert {"first question", "another question"} <= {text.get_text() for text, _ in visible_texts(figure)}
