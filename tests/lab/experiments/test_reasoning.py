"""The experiment `reasoning`: its training set, its measures on a tiny model, and its gates on made-up tables."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.reasoning.check import check
from internal_physics.lab.data.reasoning.nano import BACK_ID, VOCABULARY, read_prompt
from internal_physics.lab.data.vocabulary import PADDING_ID
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.reasoning import solving, uncertainty
from internal_physics.lab.experiments.reasoning.area import area_of, area_under_curve
from internal_physics.lab.experiments.reasoning.data import batches
from internal_physics.lab.experiments.reasoning.experiment import EXPERIMENT
from internal_physics.lab.experiments.reasoning.figures import lab_reasoning_accuracy, lab_reasoning_paths
from internal_physics.lab.experiments.reasoning.figures.lab_reasoning_paths import solved_of
from internal_physics.lab.experiments.reasoning.gates import gates, least_area
from internal_physics.lab.experiments.reasoning.measures import measure
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.lab.models.run import load_model
from internal_physics.tables.conform import conform

DATA = ReasoningData(steps=8, problems_per_step=4)
RETRY = replace(DATA, retry_rate=0.5)
PROBLEM = "b a 4 . c 1 2 . a 3 3 . d b a . ? d !"


class TestTrainingSet:
    @pytest.mark.parametrize("options", [DATA, RETRY])
    def test_rows_are_problems_with_correct_solutions_and_only_those_have_a_loss(self, options):
        given = batches(options, 3)
        for step in range(given.steps):
            batch = given.at(step)
            assert batch.tokens.shape[1] <= given.tokens_per_row
            for tokens, weights in zip(batch.tokens, batch.loss_weights, strict=True):
                row = tokens[tokens != PADDING_ID].tolist()
                begin = VOCABULARY.words(row).index("!") + 1
                verdict = solving.judged(read_prompt(row[:begin]), row[begin:]).verdict
                assert (verdict.is_correct, verdict.unnecessary_parameters) == (True, 0)
                taken_back = np.append(tokens[1:] == BACK_ID, False)
                expected = (np.arange(len(tokens)) >= begin) & (tokens != PADDING_ID) & ~taken_back
                assert np.array_equal(weights > 0, expected)

    def test_names_of_wrong_parameters_may_have_a_loss(self):
        masked, plain = (batches(replace(RETRY, masks_retries=masks), 3) for masks in (True, False))
        n_back = 0
        for step in range(plain.steps):
            without, given = masked.at(step), plain.at(step)
            assert np.array_equal(without.tokens, given.tokens)
            assert (given.loss_weights - without.loss_weights).sum() == (given.tokens == BACK_ID).sum()
            n_back += (given.tokens == BACK_ID).sum()
        assert n_back > plain.steps

    def test_skipped_steps_go_on_where_another_training_ends(self):
        later = batches(replace(DATA, skipped_steps=5), 0)
        assert np.array_equal(later.at(2).tokens, batches(DATA, 0).at(7).tokens)

    def test_problems_without_room_for_something_unnecessary_are_refused(self):
        with pytest.raises(ConfigError, match="4 operations in problems of 4 parameters"):
            batches(replace(DATA, parameters=4), 0)


def test_area_under_the_curve_counts_pairs():
    draws = np.random.default_rng(0)
    is_wrong, shares = draws.random(60) < 0.4, draws.integers(0, 5, 60) / 5
    pairs = [(w > r) + 0.5 * (w == r) for w in shares[is_wrong] for r in shares[~is_wrong]]
    assert area_under_curve(is_wrong, shares) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert np.isnan(area_under_curve(np.ones(3, bool), shares[:3]))


@pytest.mark.parametrize("operations", [(2, 3), (3, 2)])
def test_the_smallest_area_is_undefined_where_one_of_them_is(operations):
    """Whichever of the two comes first."""
    told = pd.DataFrame({"is_wrong": [True, True, False, False], "value": [0.9, 0.4, 0.5, 0.1]})
    untold = pd.DataFrame({"is_wrong": [False, False], "value": [0.2, 0.3]})
    both = [rows.assign(seed=0, operations=k) for rows, k in zip((told, untold), operations, strict=True)]
    assert area_of(told) == 0.75
    assert least_area(both[0]) == {0: 0.75}
    assert np.isnan(least_area(pd.concat(both))[0])


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    options = LabModelOptions(layers=1, width=16, canon="AC", norm="rms", biases=False, tied=False, zero_outputs=True)
    folder = tmp_path_factory.mktemp("snapshot")
    save_model(build_model(lab_config(options, VOCABULARY, 64), 0), VOCABULARY, folder)
    return str(folder)


@pytest.mark.parametrize("data", [DATA, RETRY])
def test_all_tables_are_measured(snapshot, data):
    options = ReasoningMeasures(n_problems=3, n_prefixes=5, probe_steps=2, probe_items=3, probe_judged=8)
    found = measure(Trained("a", 0, data, {8: snapshot}), options)
    tables = {t.name: conform(found[t.name].assign(arm="a", seed=0), t) for t in EXPERIMENT.tables}
    assert tables["lab_reasoning"]["operations"].tolist() == [1, 2, 3, 4, 5]
    assert tables["lab_reasoning"]["in_training"].tolist() == [True] * 4 + [False]
    wrong = tables["lab_reasoning_errors"].groupby("operations")["share"].sum()
    assert np.allclose(wrong, 1 - tables["lab_reasoning"]["accuracy"])
    probes, shown = tables["lab_reasoning_probes"], tables["lab_reasoning_foresight"]
    if data.retry_rate:
        assert probes.empty
        back = shown[shown["signal"] == "taking_back"]
        assert back.groupby("operations").size().to_dict() == dict.fromkeys(range(2, 6), 5)
    else:
        assert probes.groupby("task")["told_by"].count().to_dict() == {"needed": 4, "can_be_next": 3}
        assert (probes["chance"] == 0.5).all() and tables["lab_reasoning_depth"].empty
    paths = tables["lab_reasoning_paths"]
    assert paths.groupby("operations").size().to_dict() == dict.fromkeys(range(1, 6), 3)
    for row in paths.to_dict("records"):
        shown_path = solved_of(pd.Series(row))
        verdict = check(shown_path.problem, shown_path.solution)
        assert (verdict.is_correct, verdict.error or None) == (row["is_correct"], row["error"] or None)


def test_what_is_learned_is_the_mean_accuracy_over_the_operations_of_training_at_every_snapshot(snapshot):
    options = ReasoningMeasures(n_problems=3, n_along=2, probe_steps=2, probe_items=3, probe_judged=8)
    data = replace(DATA, operations=2)
    along = measure(Trained("a", 0, data, {0: snapshot, 8: snapshot}), options)["lab_reasoning_along"]
    assert along["step"].tolist() == [0, 8] and along["n_problems"].tolist() == [4, 4]
    model = load_model(snapshot)
    right = [
        one.verdict.is_correct
        for k in (1, 2)
        for one in solving.solve_all(model, solving.fresh_problems(data, k, 2, 0, "along"), k)
    ]
    assert along["accuracy"].tolist() == [np.mean(right)] * 2
    assert EXPERIMENT.learned.column in along and EXPERIMENT.learned.table == "lab_reasoning_along"


def test_the_signals_before_choices_are_those_of_the_model_at_these_places(snapshot):
    model = load_model(snapshot)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    drawn = read_prompt(VOCABULARY.ids(PROBLEM.split()).tolist())
    texts = {"a 3 3 1 ; d 0 1 1 ; <eos>": [False, True], "a 3 3 1 ; b 1 1 2 ; <eos>": [False]}
    for text, wrong in texts.items():
        tokens = VOCABULARY.ids(text.split()).tolist()
        found = uncertainty.before_choices(model, [solving.judged(drawn, tokens)])
        assert [one.is_wrong for one in found["entropy"]] == wrong
        for number in range(len(wrong)):
            given = torch.tensor([[*drawn.prompt(), *tokens[: 5 * number]]])
            seen = model(given, output_hidden_states=True)
            shares = seen.logits[0, -1].double().softmax(-1).numpy()
            norms = [float(residual[0, -1].norm()) for residual in seen.hidden_states]
            entropy, surprisal, gain = (found[name][number].value for name in uncertainty.SIGNALS)
            assert entropy == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-4)
            assert surprisal == pytest.approx(-np.log(shares[tokens[5 * number]]), rel=1e-4)
            assert gain == pytest.approx(norms[-1] / norms[-2], rel=1e-4)


def test_a_parameter_that_is_taken_back_is_neither_a_right_nor_a_wrong_choice(snapshot):
    drawn = read_prompt(VOCABULARY.ids(PROBLEM.split()).tolist())
    texts = ("a 3 3 1 ; d 0 1 1 ; <eos>", "d BACK ; a 3 3 1 ; b BACK ; b BACK ; d 0 1 1 ; <eos>")
    judged = [solving.judged(drawn, VOCABULARY.ids(text.split()).tolist()) for text in texts]
    assert [one.verdict.error for one in judged] == ["not_ready"] * 2
    found = uncertainty.before_choices(load_model(snapshot), judged)
    assert [one.is_wrong for one in found["entropy"]] == [False, True] * 2


def test_paths_show_a_right_a_wrong_and_a_retried_solution():
    problem = "<eos> b a 4 . c 1 2 . a 3 3 . d b a . ? d !"
    right, wrong = "a 3 3 1 ; b 1 4 0 ; d 0 1 1 ;", "a 3 3 1 ; d 1 1 2 ;"
    rows = [("m", wrong, False, "not_ready"), ("m", right, True, None), ("r", f"c BACK ; {right}", True, None)]
    paths = pd.DataFrame(rows, columns=["arm", "solution", "is_correct", "error"])
    figure = lab_reasoning_paths.draw(paths.assign(seed=0, operations=3, item=range(3), problem=problem))
    titles = [ax.get_title(loc="left").replace("\n", " ") for ax in figure.axes]
    assert [title.split(": ")[0] for title in titles if title] == ["m", "m", "r"]
    assert "goes wrong (not ready)" in titles[2]
    assert figure.axes[5].texts[0].get_text() == "1.  c is taken back"
    assert not lab_reasoning_paths.draw(paths.assign(seed=0, operations=3, item=0, problem=problem)[:0]).axes[0].lines


@pytest.mark.parametrize(("retries", "highest"), [(0.0, 1.02), (0.4, 0.5)])
def test_no_axis_has_negative_retries(retries, highest):
    solved = pd.DataFrame({"operations": [1, 2], "in_training": [True, False], "accuracy": [1.0, 0.5]})
    solved = solved.assign(answer_accuracy=1.0, unnecessary_parameters=0.0, unnecessary_at_random=1.0)
    figure = lab_reasoning_accuracy.draw(
        solved.assign(arm="a", seed=0, retries=[0.0, retries], retried_share=0.0, status="ok")
    )
    (panel,) = (ax for ax in figure.axes if ax.get_ylabel() == "retries per problem")
    low, high = panel.get_ylim()
    assert low >= -0.05 and max(retries, 0.0) < high <= highest


class TestGates:
    ARMS = {  # noqa: RUF012
        "canon": ("ABCD", DATA),
        "plain": ("", DATA),
        "more": ("ABCD", replace(DATA, skipped_steps=8)),
        "retry": ("ABCD", replace(RETRY, skipped_steps=8)),
        "lora": ("ABCD", replace(RETRY, skipped_steps=8)),
        "miss": ("ABCD", replace(RETRY, skipped_steps=8, retry_kind="retry_miss")),
    }

    def tables(self, of_canon: float) -> dict[str, pd.DataFrame]:
        accuracies = {"canon": (1.0, 0.9, of_canon, 0.5, 0.1), "plain": (0.7, 0.4, 0.1, 0.0, 0.0)}
        later = {"more": 0.1, "lora": 0.05, "retry": 0.4, "miss": 0.3}
        accuracies |= {name: (1.0, 0.9, 0.8, 0.6, beyond) for name, beyond in later.items()}
        solved = [
            {"arm": arm, "seed": 0, "operations": k, "in_training": k < 5, "accuracy": share}
            for arm, shares in accuracies.items()
            for k, share in enumerate(shares, start=1)
        ]
        told = {"trained": 0.8, "random": 0.53, "only_numbers": 0.79, "used_somewhere": float("nan")}
        probes = [
            {"arm": "canon", "seed": 0, "task": "can_be_next", "told_by": k, "accuracy": v} for k, v in told.items()
        ]
        shown = [
            {"arm": "retry", "seed": 0, "signal": "taking_back", "operations": k, "is_wrong": wrong, "value": share}
            for k in (2, 3)
            for wrong, share in ((True, 0.9), (False, 0.1), (False, 0.95 if k == 3 else 0.2))
        ]
        return {
            "lab_reasoning": pd.DataFrame(solved).assign(unnecessary_parameters=0.02, unnecessary_at_random=1.5),
            "lab_reasoning_probes": pd.DataFrame(probes),
            "lab_reasoning_foresight": pd.DataFrame(shown),
        }

    def found(self, of_canon: float = 0.75) -> dict[str, tuple[float, str]]:
        arms = {
            name: {"data": asdict(data), "model": {"canon": canon}, "training": {"low_rank": 4 * (name == "lora")}}
            for name, (canon, data) in self.ARMS.items()
        }
        return {g.claim: (round(g.values[0], 6), g.verdict) for g in gates(self.tables(of_canon), arms)}

    def test_each_claim_has_its_number_and_bar(self):
        assert list(self.found().values()) == [
            (1.0, "met"),
            (0.5, "met"),
            (0.65, "met"),
            (0.02, "met"),
            (1.5, "reported"),
            (0.27, "met"),
            (0.01, "reported"),
            (0.5, "missed"),  # of three operations
            (0.3, "reported"),
            (0.2, "reported"),
            (-0.05, "reported"),
        ]

    def test_without_enough_of_a_difference_the_claim_on_canon_layers_is_missed(self):
        (verdict,) = (verdict for claim, (_, verdict) in self.found(0.4).items() if claim.startswith("Canon layers"))
        assert verdict == "missed"
