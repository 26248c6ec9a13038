"""Probes of models of biographies: where they read, what they may change, their table, gates and figure."""

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.config.options.lab_biographies import Augmentation
from internal_physics.config.options.lab_knowledge import KnowledgeData, KnowledgeMeasures
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.knowledge import gates, probing
from internal_physics.lab.experiments.knowledge.data import batches, taught
from internal_physics.lab.experiments.knowledge.experiment import LAB_KNOWLEDGE_PROBES
from internal_physics.lab.experiments.knowledge.figures import lab_knowledge_probes
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.lab.probes.prompted import PromptedProbe, Reading, fit_prompted_probe
from internal_physics.tables.conform import conform

DATA = KnowledgeData(people=8, augmentation=Augmentation(texts=2, permutations=1), exposures=3, texts_per_row=2, rows=2)
GIVEN = taught(DATA, 3)
LABELS = GIVEN.people.first_values()
ANSWERS = GIVEN.language.first_value_ids()


def model_of(*, masked=False):
    given = batches(DATA, 3)
    options = LabModelOptions(layers=1, width=16, heads=2, masked=masked)
    return build_model(lab_config(options, given.vocabulary, given.tokens_per_row), seed=1)


def test_texts_are_read_right_before_each_value_in_the_order_of_the_text():
    reading = probing.before_values(GIVEN, LABELS)
    assert reading.places.shape == (16, 6) and (np.diff(reading.places) > 0).all()
    behind = np.take_along_axis(reading.tokens, reading.places + 1, axis=1)
    for text, order in enumerate(GIVEN.plans.order):
        values = [ANSWERS[attribute][reading.labels[text, attribute]] for attribute in order]
        assert behind[text].tolist() == values


def test_names_stand_alone_between_two_words_that_no_name_has():
    reading = probing.names_alone(GIVEN, LABELS)
    names = GIVEN.language.name_ids(GIVEN.people)
    assert (reading.tokens[:, 1:4] == names).all() and (reading.places == 4).all()
    assert not np.isin(reading.tokens[:, [0, 4]], names).any()


def test_no_shared_word_belongs_to_a_person_or_is_a_value():
    shared = set(GIVEN.language.shared_ids())
    own = {*GIVEN.language.name_ids(GIVEN.people).ravel(), *GIVEN.language.value_ids(GIVEN.people).ravel()}
    assert not shared & own
    texts = set(GIVEN.rows.tokens.ravel()) - own - {1}  # without padding
    assert texts <= shared


def test_a_probe_begins_as_the_model_and_changes_shared_words_alone():
    model, reading = model_of(), probing.before_values(GIVEN, LABELS)
    shared = GIVEN.language.shared_ids()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    probe = PromptedProbe(model, shared, ANSWERS, n_places=6, rank=2, seed=0)
    tokens, places = torch.as_tensor(reading.tokens), torch.as_tensor(reading.places)
    with torch.no_grad():
        logits = model(tokens).logits[torch.arange(16)[:, None], places]  # [b, p, v]
        for scores, ids in zip(probe(tokens, places), ANSWERS, strict=True):
            torch.testing.assert_close(scores, logits[..., torch.as_tensor(ids)], rtol=0, atol=1e-5)
    assert probe.shares_right(reading).shape == (6, 6)
    fit_prompted_probe(probe, reading, steps=40, rows=16, learning_rate=3e-2, seed=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    other = GIVEN.language.name_ids(GIVEN.people)
    changed = model.get_input_embeddings().weight[torch.as_tensor(other)]
    torch.testing.assert_close(changed, before["model.embed_tokens.weight"][torch.as_tensor(other)], rtol=0, atol=0)
    assert probe.shares_right(reading).mean() >= 0.3  # of these 16 texts; a guess is right for about 0.03


def test_the_changed_embeddings_are_those_of_a_model_whose_table_has_the_change():
    model, reading = model_of(), probing.names_alone(GIVEN, LABELS)
    shared = reading.tokens[0, [0, -1]]
    probe = PromptedProbe(model, shared, ANSWERS, n_places=1, rank=3, seed=0)
    fit_prompted_probe(probe, reading, steps=3, rows=8, learning_rate=3e-2, seed=0)
    tokens, places = torch.as_tensor(reading.tokens), torch.as_tensor(reading.places)
    table = model.get_input_embeddings().weight
    own = table.clone()
    with torch.no_grad():
        scores = probe(tokens, places)
        for question in (0, 4):
            table.copy_(own)
            table[torch.as_tensor(shared)] += (probe.left @ probe.right)[question]
            last = model.model(tokens).last_hidden_state[:, -1]
            expected = last @ probe.maps[question][0].T + probe.biases[question][0]
            torch.testing.assert_close(scores[question][:, 0], expected, rtol=0, atol=1e-5)


def test_shares_are_counted_over_passes():
    class Right(PromptedProbe):
        def forward(self, tokens, _places):
            """Tell class 1 at the first place, and class 0 at the second."""
            row = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
            return [row.expand(len(tokens), 2, 2)]

    probe = Right(model_of(), np.array([2]), [np.array([2, 3])], n_places=2, rank=1, seed=0)
    labels = (np.arange(100) < 25).astype(np.int64)[:, None]
    reading = Reading(np.zeros((100, 3), np.int64), np.ones((100, 2), np.int64), labels)
    assert probe.shares_right(reading).tolist() == [[0.25], [0.75]]


@pytest.mark.parametrize(("masked", "places"), [(False, {0, 1, 2, 3, 4, 5, 6}), (True, {0})])
def test_the_table_has_all_places_of_both_weights_and_of_a_masked_model_the_name(tmp_path, masked, places):
    model = model_of(masked=masked)
    save_model(model, batches(DATA, 3).vocabulary, tmp_path / "4")
    trained = Trained("arm", 3, DATA, {4: str(tmp_path / "4")})
    rows = pd.DataFrame(probing.probe_rows(trained, KnowledgeMeasures(probe_steps=1)))
    table = conform(rows.assign(arm="arm", seed=3), LAB_KNOWLEDGE_PROBES)
    assert set(table["place"]) == places and len(table) == 2 * 6 * len(places)
    assert (table["n_people"] == 4).all() and set(table["weights"]) == {"trained", "initial"}


def probes_table(single_early=0.05, multi_first=0.9):
    rows = []
    for seed in (0, 1):
        for augmentation in ("single", "multi5+permute1"):
            for weights in ("trained", "initial"):
                for place in range(7):
                    for number, attribute in enumerate(ATTRIBUTES, start=1):
                        accuracy = 0.95 if place == number else single_early
                        if augmentation != "single":
                            accuracy = multi_first
                        row = {"arm": augmentation, "seed": seed, "augmentation": augmentation, "celebrities": 0}
                        row |= {"weights": weights, "place": place, "attribute": attribute, "n_people": 75}
                        row |= {"accuracy": accuracy if weights == "trained" else 0.04, "chance": 0.04, "status": "ok"}
                        rows.append(row)
    return pd.DataFrame(rows)


def test_gates_ask_a_single_text_for_nothing_early_and_permuted_ones_for_everything_from_the_name():
    found = [*gates._probed(probes_table())]
    assert [gate.verdict for gate in found] == ["met"] * 3 and not any(gate.is_hard for gate in found)
    assert found[2].values == pytest.approx({0: 0.01, 1: 0.01})
    assert [gate.verdict for gate in gates._probed(probes_table(0.2, 0.5))] == ["missed"] * 3


def test_the_figure_has_a_row_for_each_arm_and_a_column_for_each_kind_of_weights():
    figure = lab_knowledge_probes.draw(conform(probes_table(), LAB_KNOWLEDGE_PROBES))
    titles = [ax.get_title(loc="left") for ax in figure.axes[:4]]
    assert titles == [
        f"{arm}\ntexts: {arm}, {weights}"
        for arm in ("single", "multi5+permute1")
        for weights in ("trained", "before training")
    ]
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert numbers.count("0.95") == 6 and len(numbers) == 42
