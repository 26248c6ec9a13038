"""What probes of the experiment `reasoning` ask, against answers read off the text; how they are fitted and judged."""

from dataclasses import replace
from itertools import count

import numpy as np
import pandas as pd
import pytest
from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.labels import distances
from internal_physics.lab.data.reasoning.nano import MODULUS, VOCABULARY, draw_problem
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.reasoning import asking, depth, questions
from internal_physics.lab.experiments.reasoning.data import batches
from internal_physics.lab.experiments.reasoning.experiment import EXPERIMENT, LAB_REASONING_PROBES
from internal_physics.lab.experiments.reasoning.figures import lab_reasoning_probes
from internal_physics.lab.experiments.reasoning.gates import gates
from internal_physics.lab.experiments.reasoning.measures import measure
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.lab.probes import problem_figure, problem_questions
from internal_physics.lab.probes.asking import shares_true, told_by
from internal_physics.tables.conform import conform

DATA = ReasoningData(steps=8, problems_per_step=4)
QUICK = ReasoningMeasures(n_problems=3, n_prefixes=5, probe_steps=2, probe_items=3, probe_judged=60)
ALL = tuple(problem_questions.TASKS)


class Text:
    """A question as words alone, and what follows from them by enumeration."""

    def __init__(self, tokens: list[int]) -> None:
        words = VOCABULARY.words(tokens)
        begin = words.index("[START]")
        self.asked = words[begin + 1 : -1]
        assert words[-1] == "[END]"
        end = words.index("?") if "?" in words else begin
        self.needs = {words[at]: words[at + 1 : at + 3] for at in range(1, end, 4)}
        self.query = words[end + 1] if end < begin else None
        self.written = words[end + 3 : begin : 5] if end < begin else []

    def reaches(self, name: str, other: str) -> bool:
        return any(need == other or self.reaches(need, other) for need in self.needs.get(name, ()))

    def value(self, name: str) -> int:
        return sum(self.value(need) for need in self.needs[name]) % MODULUS if name in self.needs else int(name)

    def is_ready(self, name: str) -> bool:
        return name not in self.written and {need for need in self.needs[name] if need in self.needs} <= set(
            self.written
        )

    def is_needed(self, name: str) -> bool:
        return name == self.query or self.reaches(self.query, name)

    def answer(self, task: str) -> int:
        name = self.asked[0]
        if task == "depends":
            return int(self.reaches(*self.asked))
        if task == "value":
            return self.value(name) if name in self.written else MODULUS
        return int(
            {
                "needed": lambda: self.is_needed(name),
                "can_be_next": lambda: self.is_ready(name),
                "needed_next": lambda: self.is_ready(name) and self.is_needed(name),
                "known": lambda: name in self.written,
            }[task]()
        )


class TestQuestions:
    @pytest.mark.parametrize("task", ALL)
    def test_their_answers_follow_from_the_text(self, task):
        room = (
            batches(DATA, 0).tokens_per_row + 2
        )  # [START] name [END] in place of <eos>, at most after all steps but one
        asked = questions.judged_items(task, DATA, 400, 0)
        for item in asked:
            text = Text(item.tokens)
            assert item.answer == text.answer(task)
            assert len(text.asked) == (2 if task == "depends" else 1) and len(set(text.asked)) == len(text.asked)
            assert (text.query is None) == (task == "depends")
            assert len(item.tokens) <= room
        yes = sum(item.answer < MODULUS if task == "value" else item.answer for item in asked)
        assert 160 < yes < 240  # 200 expected, standard deviation 10
        assert {item.answer for item in asked} == set(range(questions.n_answers(task)))

    @pytest.mark.parametrize("task", ALL)
    def test_rules_look_at_single_sentences_and_steps(self, task):
        for item in questions.judged_items(task, DATA, 100, 1):
            text = Text(item.tokens)
            name = text.asked[0]
            others = list(text.needs.values())
            used, numbers = any(name in needs for needs in others), not set(text.needs[name]) & set(text.needs)
            expected = {
                "used_somewhere": used,
                "only_numbers": not numbers if task == "depends" else numbers,
                "numbers_and_used": numbers and used,
                "written": text.answer(task),  # the step of a parameter says all that is asked
            }
            if text.query:
                expected["operand_of_query"] = name in text.needs[text.query]
            else:
                expected["in_its_sentence"] = text.asked[1] in text.needs[name]
            assert {rule: tell(item) for rule, tell in questions.RULES[task].items()} == {
                rule: expected[rule] for rule in questions.RULES[task]
            }

    def test_the_default_tasks_stay_those_of_the_default_lab(self):
        assert (ReasoningMeasures().probe_tasks, ReasoningMeasures().probe_layers) == (
            ("needed", "can_be_next"),
            "last",
        )

    def test_balanced_accuracy_of_a_constant_is_one_of_the_answers(self):
        right = np.array([1, 0, 0, 0])
        assert problem_questions.balanced_accuracy(np.zeros(4, int), right) == 0.5
        assert problem_questions.balanced_accuracy(right, right) == 1
        assert np.isnan(problem_questions.balanced_accuracy(right, np.ones(4, int)))
        six = np.array([0, 1, 2, 3, 4, 5, 5, 5])
        assert problem_questions.balanced_accuracy(np.full(8, 5), six, 6) == pytest.approx(1 / 6)
        assert problem_questions.largest_share(six) == 3 / 8


@pytest.fixture(scope="module")
def model():
    options = LabModelOptions(layers=2, width=16, canon="AC", norm="rms", biases=False, tied=False)
    return build_model(lab_config(options, VOCABULARY, 64), 0)


class TestProbes:
    @pytest.mark.parametrize("task", ALL)
    def test_of_random_weights_they_are_near_a_guess(self, model, task):
        options = replace(QUICK, probe_steps=40, probe_items=16)
        asked = questions.judged_items(task, DATA, 600, 0)
        told = told_by(asking.fit_probe(model, task, DATA, options, 0), [item.tokens for item in asked])
        right, n = np.array([item.answer for item in asked]), questions.n_answers(task)
        accuracy = problem_questions.balanced_accuracy(told, right, n)
        assert abs(accuracy - 1 / n) < 0.09  # standard deviation 0.02; random attention tells a little

    @pytest.mark.parametrize("layer", [None, 1])
    def test_what_the_asked_name_alone_tells_is_found(self, model, monkeypatch, layer):
        names = [VOCABULARY.ids([name])[0] for name in "abcdefghijkl"]

        def by_name(_task, _data, draws):
            for _ in count():
                drawn = draw_problem(draws, 3, 7)
                answer = names.index(drawn.names[0]) % questions.n_answers("value")
                yield problem_questions.Item(drawn.problem, questions.question(drawn, (), 0), 0, answer)

        monkeypatch.setattr(asking, "items", by_name)
        options = replace(QUICK, probe_steps=150, probe_items=32, probe_learning_rate=0.03)
        probe = asking.fit_probe(model, "value", DATA, options, 0, layer=layer)
        asked = [item for item, _ in zip(by_name("", DATA, generator(1, "fresh")), range(200), strict=False)]
        told = told_by(probe, [item.tokens for item in asked])
        assert np.mean(told == [item.answer for item in asked]) > 0.9  # a guess: 1/6

    def test_after_the_last_block_they_read_what_they_read_without_a_layer(self, model):
        rows = [item.tokens for item in questions.judged_items("needed", DATA, 20, 0)]
        shares = [
            shares_true(asking.fit_probe(model, "needed", DATA, QUICK, 0, layer=layer), rows) for layer in (None, 2, 1)
        ]
        assert np.allclose(shares[0], shares[1], rtol=1e-5)
        assert not np.allclose(shares[0], shares[2], rtol=1e-3)


class TestDepth:
    def test_accuracies_by_distance_average_to_the_one_of_all(self):
        asked = questions.judged_items("needed", DATA, 300, 0)
        right = np.array([item.answer for item in asked])
        away = np.array([distances(item.problem)[item.parameter] for item in asked])
        assert set(away[right == 0]) == {-1} and away[right == 1].min() == 1
        told = np.where((away == 1) | (np.arange(300) % 3 == 0), 1, 0)  # those next to the query, and a third of all
        found = list(depth.by_distance(asked, told))
        assert [distance for distance, _, _ in found] == sorted(set(away[right == 1]))
        wrong = np.mean(told[right == 0])
        for distance, accuracy, n in found:
            own = told[away == distance]
            assert (accuracy, n) == (pytest.approx((own.mean() + 1 - wrong) / 2), len(own))
        mean = np.average([accuracy for _, accuracy, _ in found], weights=[n for *_, n in found])
        assert mean == pytest.approx(problem_questions.balanced_accuracy(told, right))


@pytest.fixture(scope="module")
def tables(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshot")
    save_model(model, VOCABULARY, folder)
    options = replace(QUICK, probe_tasks=ALL, probe_layers="all")
    found = measure(Trained("a", 0, DATA, {8: str(folder)}), options)
    return {t.name: conform(found[t.name].assign(arm="a", seed=0), t) for t in EXPERIMENT.tables}


def test_all_tasks_and_layers_are_measured_where_they_are_asked_for(tables):
    probes, deep = tables["lab_reasoning_probes"], tables["lab_reasoning_depth"]
    controls = {task: {"trained", "random", *rules} for task, rules in questions.RULES.items()}
    assert {task: set(own["told_by"]) for task, own in probes.groupby("task")} == controls
    assert set(probes["task"]) == set(LAB_REASONING_PROBES.columns["task"].allowed)
    chances = probes.drop_duplicates(["task", "chance"]).set_index("task")["chance"].to_dict()
    assert chances == dict.fromkeys(ALL, 0.5) | {"value": pytest.approx(1 / 6)}
    assert (probes.loc[probes["told_by"] == "written", ["accuracy", "share_right"]] == 1).all(axis=None)
    assert (deep.groupby("told_by")["layer"].unique().map(list)).to_dict() == {"trained": [1, 2], "random": [1, 2]}
    assert deep[deep["layer"] == 1].groupby("told_by")["n_items"].sum().nunique() == 1


def test_without_can_be_next_no_step_of_the_model_is_foreseen_by_a_probe(model, tmp_path):
    save_model(model, VOCABULARY, tmp_path)
    found = measure(Trained("a", 0, DATA, {8: str(tmp_path)}), replace(QUICK, probe_tasks=("value",)))
    assert set(found["lab_reasoning_foresight"]["signal"]) == {"entropy", "surprisal", "last_gain"}
    assert set(found["lab_reasoning_probes"]["task"]) == {"value"}


def test_the_figure_has_a_panel_for_each_task_and_for_each_arm_by_block(tables):
    probes, deep = tables["lab_reasoning_probes"], tables["lab_reasoning_depth"]
    whole = lab_reasoning_probes.draw(probes, deep)
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in whole.axes]
    assert [title for title in titles if title] == [*problem_figure.TASKS.values(), "needed, by block: a"]
    usual = probes[probes["task"].isin(ReasoningMeasures().probe_tasks)]
    assert len(lab_reasoning_probes.draw(usual, deep[:0]).axes) == 3  # two tasks and the legend
    assert len(lab_reasoning_probes.draw(probes[:0], deep[:0]).axes) == 3


def test_claims_on_further_tasks_are_reported_without_a_bar(tables):
    arms = {"a": {"data": {"retry_rate": 0, "skipped_steps": 0}, "model": {"canon": "AC"}, "training": {"low_rank": 0}}}
    rest = {
        "lab_reasoning": tables["lab_reasoning"],
        "lab_reasoning_foresight": pd.DataFrame({"arm": [], "signal": []}),
    }
    found = [g for g in gates({**tables, **rest}, arms) if "states tell" in g.claim]
    barred = {g.claim.split("states tell ")[1].split(":")[0] for g in found if g.is_hard}
    assert barred == {"what the answer needs", "what can be computed next"}
    assert len({g.claim for g in found}) == len(found) == 2 * len(ALL)
