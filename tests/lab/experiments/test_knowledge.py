"""Measures of knowledge on a tiny model, the low-rank training, gates and the figure."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.config.options.lab_biographies import Augmentation
from internal_physics.config.options.lab_knowledge import KnowledgeData, KnowledgeMeasures
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.ground.status import OK
from internal_physics.lab.data.biography_batches import AnswerBatches, all_questions
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.knowledge import gates, measures
from internal_physics.lab.experiments.knowledge.data import batches, taught
from internal_physics.lab.experiments.knowledge.experiment import EXPERIMENT
from internal_physics.lab.experiments.knowledge.figures import lab_knowledge
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.lab.models.run import load_model, mean_loss_nats
from internal_physics.lab.train.adapt import train_low_rank
from internal_physics.lab.train.low_rank import add_low_rank
from internal_physics.tables.conform import conform

NO_PROBES = pd.DataFrame(
    columns=["arm", "seed", "weights", "celebrities", "augmentation", "place", "attribute", "accuracy", "chance"]
)
NOTHING = pd.DataFrame(columns=["arm", "seed", "task", "people", "accuracy", "chance"])
DATA = KnowledgeData(people=8, exposures=3, texts_per_row=2, rows=2)


@pytest.fixture
def arm(tmp_path):
    given = batches(DATA, 3)
    options = LabModelOptions(layers=1, width=16, heads=2)
    model = build_model(lab_config(options, given.vocabulary, given.tokens_per_row), seed=1)
    save_model(model, given.vocabulary, tmp_path / "6")
    return Trained("arm", 3, DATA, {6: str(tmp_path / "6")})


def test_the_table_has_biographies_and_questions_of_both_groups(arm):
    found = measures.measure(arm, KnowledgeMeasures(steps=2, questions=4, rank=2, embedding_rank=2))["lab_knowledge"]
    rows = conform(found.assign(arm="arm", seed=3), EXPERIMENT.tables[0])
    assert len(measures.measure(arm, KnowledgeMeasures(steps=1, questions=4))["lab_manipulation"]) == 0
    assert len(rows) == 2 * 2 * 7 and (rows["n_people"] == 4).all()
    of_one = rows[(rows["task"] == "question") & (rows["people"] == "tested")].set_index("attribute")["accuracy"]
    assert of_one["all"] == pytest.approx(of_one[list(ATTRIBUTES)].mean())


class Parrot:
    """A model that says the text it is asked about: the token that follows in any row that begins so."""

    device = torch.device("cpu")

    def __init__(self, rows, n_words):
        self.rows, self.n_words = rows, n_words

    def __call__(self, ids):
        logits = torch.zeros(*ids.shape, self.n_words)
        for b, row in enumerate(ids.numpy()):
            for t in range(len(row)):
                fitting = self.rows[(self.rows[:, : t + 1] == row[: t + 1]).all(axis=1)]
                if len(fitting) and t + 1 < self.rows.shape[1]:
                    logits[b, t, fitting[0, t + 1]] = 1.0
        return type("Output", (), {"logits": logits})


def test_shares_are_one_for_a_model_that_knows_and_by_attribute_for_one_that_knows_half():
    given = taught(DATA, 3)
    texts = np.pad(given.rows.tokens, ((0, 0), (1, 0)))
    knows = Parrot(texts, len(given.language.vocabulary))
    np.testing.assert_array_equal(measures.biography_shares(knows, given, given.tested), np.ones(6))
    half = texts.copy()
    is_city = np.pad(given.rows.attribute == 1, ((0, 0), (1, 0)))
    half[is_city & (np.arange(8) < 6)[:, None]] = 3
    forgot = Parrot(half, len(given.language.vocabulary))
    assert measures.biography_shares(forgot, given, given.tested)[:2].tolist() == [1.0, 0.5]


def test_answers_are_right_only_word_for_word():
    given = taught(DATA, 3)
    people = np.repeat(given.tested, 6)
    rows = given.language.questions(given.people, people, np.tile(np.arange(6), 4)).tokens.copy()
    n_words = len(given.language.vocabulary)
    np.testing.assert_array_equal(measures.answer_shares(Parrot(rows, n_words), given, given.tested), np.ones(6))
    rows[0, 8] = 5  # the year of the first person
    shares = measures.answer_shares(Parrot(rows, n_words), given, given.tested)
    assert shares.tolist() == [0.75, 1, 1, 1, 1, 1]


def test_a_low_rank_change_learns_questions_and_leaves_the_model_and_its_head_alone(arm):
    given = taught(DATA, 3)
    model, before = load_model(arm.snapshots[6]), load_model(arm.snapshots[6])
    pool = all_questions(given.language, given.people, given.trained)
    questions = AnswerBatches(given.language.vocabulary, pool.tokens, pool.is_value, 16, 60, 0)
    start = mean_loss_nats(model, questions.at(0))
    changes = add_low_rank(model, rank=2, embedding_rank=3, seed=0)
    assert mean_loss_nats(model, questions.at(0)) == pytest.approx(start, abs=1e-6)  # it begins with no change
    train_low_rank(model, changes, questions, learning_rate=1e-2, weight_decay=0.0)
    assert mean_loss_nats(model, questions.at(0)) < start - 0.5
    torch.testing.assert_close(model.lm_head.weight, before.lm_head.weight, rtol=0, atol=0)
    change = model.get_input_embeddings().weight - before.get_input_embeddings().weight
    assert torch.linalg.matrix_rank(change.double(), tol=1e-5) == 3


def knowledge_table(single, multi):
    rows = []
    for augmentation, values in (("single", single), ("multi5+permute1", multi)):
        for seed, (remembered, answered) in enumerate(values):
            for task, value in (("biography", remembered), ("question", answered)):
                for people in ("trained", "tested"):
                    for attribute in (*ATTRIBUTES, "all"):
                        rows.append(
                            {
                                "arm": augmentation,
                                "seed": seed,
                                "step": 100,
                                "augmentation": augmentation,
                                "celebrities": 0,
                                "task": task,
                                "people": people,
                                "attribute": attribute,
                                "accuracy": value if people == "tested" else 1.0,
                                "chance": 0.05,
                                "status": OK,
                            }
                        )
    return pd.DataFrame(rows)


def test_gates_want_both_arms_to_remember_and_one_to_answer():
    good = knowledge_table([(0.99, 0.1), (0.98, 0.2)], [(0.97, 0.7), (0.96, 0.8)])
    assert [
        gate.verdict
        for gate in gates.gates(
            {"lab_knowledge": good, "lab_manipulation": NOTHING, "lab_knowledge_probes": NO_PROBES}, {}
        )
    ] == ["met"] * 4
    bad = knowledge_table([(0.99, 0.1), (0.98, 0.3)], [(0.90, 0.7), (0.96, 0.5)])
    verdicts = [
        gate.verdict
        for gate in gates.gates(
            {"lab_knowledge": bad, "lab_manipulation": NOTHING, "lab_knowledge_probes": NO_PROBES}, {}
        )
    ]
    assert verdicts == ["missed", "missed", "met", "missed"]  # of multi5+permute1, then of single


def test_the_figure_has_a_panel_for_each_arm():
    figure = lab_knowledge.draw(knowledge_table([(0.99, 0.1)], [(0.97, 0.7)]))
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == [
        "single\ntexts: single",
        "multi5+permute1\ntexts: multi5+permute1",
    ]
    assert len(figure.axes[2].get_legend().get_texts()) == 3


def test_manipulations_are_measured_where_people_have_several_texts(arm):
    several = dataclasses.replace(arm, data=dataclasses.replace(DATA, augmentation=Augmentation(texts=2)))
    options = KnowledgeMeasures(steps=2, questions=4, rank=2, embedding_rank=2)
    rows = measures.measure(several, options)["lab_manipulation"]
    table = conform(rows.assign(arm="arm", seed=3), EXPERIMENT.tables[1])
    assert [*zip(table["task"], table["people"], strict=True)] == [
        (task, people)
        for tasks in (("parity", "parity_with_hint"), ("comparison",), ("year",), ("inverse",))
        for people in ("trained", "tested")
        for task in tasks
    ]


def test_only_the_inverse_search_has_a_hard_bar():
    rows = [
        {"arm": "multi", "seed": seed, "task": task, "people": "tested", "accuracy": 0.05 + 0.02 * seed, "chance": 0.02}
        for task in ("parity", "inverse")
        for seed in (0, 1)
    ]
    tables = {"lab_knowledge": knowledge_table([], [(0.99, 0.7)]), "lab_manipulation": pd.DataFrame(rows)}
    tables["lab_knowledge_probes"] = NO_PROBES
    found = gates.gates(tables, {})[2:]
    assert [(gate.is_hard, gate.verdict) for gate in found] == [(True, "met"), (False, "reported")]


def test_masked_models_and_places_of_several_words_are_reported_apart_and_without_a_bar():
    table = knowledge_table([(0.99, 0.1)], [(0.97, 0.7)])
    few = table["attribute"].isin(gates.PLACES) & (table["task"] == "question")
    table = table.assign(accuracy=table["accuracy"].where(~few, 0.2))
    arms = {"multi5+permute1": {"data": {"words_of_places": 3}, "model": {"masked": True}}}
    arms["single"] = {"data": {}, "model": {}}
    found = gates.gates({"lab_knowledge": table, "lab_manipulation": NOTHING, "lab_knowledge_probes": NO_PROBES}, arms)
    special = [gate for gate in found if "masked model, places of 3 words" in gate.claim]
    assert [gate.values[0] for gate in special] == pytest.approx([0.97, 0.7, 0.2])
    assert [gate.verdict for gate in special] == ["reported"] * 3 and len(found) == 5
