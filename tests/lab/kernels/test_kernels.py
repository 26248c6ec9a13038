"""Lab uses of the tangent kernel: the kernel against autograd, what each experiment compares, the table, the figure."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.config.options.lab_bio_d import BioDSizes
from internal_physics.config.options.lab_biographies import Augmentation
from internal_physics.config.options.lab_capacity import CapacityData
from internal_physics.config.options.lab_grammar import GrammarData
from internal_physics.config.options.lab_knowledge import KnowledgeData
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.capacity import kernels as of_values
from internal_physics.lab.experiments.capacity.data import batches as capacity_batches
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.grammar import kernels as of_tokens
from internal_physics.lab.experiments.grammar.data import batches as grammar_batches
from internal_physics.lab.experiments.grammar.data import grammar_of
from internal_physics.lab.experiments.knowledge import kernels as of_people
from internal_physics.lab.experiments.knowledge.data import batches as knowledge_batches
from internal_physics.lab.experiments.knowledge.data import taught
from internal_physics.lab.kernels import record
from internal_physics.lab.kernels.collect import write_kernels
from internal_physics.lab.kernels.figures import lab_kernel
from internal_physics.lab.kernels.study import Scalar
from internal_physics.lab.kernels.tables import COSINE_RANK, DEBIASED, LAB_KERNEL, MARGIN, OTHER, RANK, SAME
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.plan.lab_plan import lab_tables
from internal_physics.tables.read import read_table
from lab_models import CAUSAL, VOCABULARY, lab_model

FLOAT32 = 1e-5  # of the product of two norms. Seen: 3e-7
SMALL = LabModelOptions(layers=1, width=16, heads=2)
DATA = {
    "capacity": CapacityData(sizes=BioDSizes(people=8), exposures=4, windows=1),
    "grammar": GrammarData(steps=2, rows_per_step=2),
    "knowledge": KnowledgeData(people=6, augmentation=Augmentation(texts=2, permutations=1), exposures=6, rows=1),
}
MAKE = {"capacity": capacity_batches, "grammar": grammar_batches, "knowledge": knowledge_batches}


def saved(folder, experiment, options=SMALL):
    """An untrained model of an arm, as if it were trained twice."""
    given = MAKE[experiment](DATA[experiment], 0)
    config = lab_config(options, given.vocabulary, given.tokens_per_row)
    for seed, step in enumerate((0, 2)):
        save_model(build_model(config, seed), given.vocabulary, folder / str(step))
    return Trained(experiment, 0, DATA[experiment], {step: str(folder / str(step)) for step in (0, 2)})


class TestKernel:
    @pytest.mark.parametrize("name", ["absolute-plain", "rotary-rich", "uniform-plain"])
    def test_it_equals_autograd_over_all_matrices(self, name, tmp_path):
        """Tied and untied heads, beside biases and both kinds of norm: the kernel is over matrices only."""
        assert {CAUSAL["absolute-plain"].tied, CAUSAL["rotary-rich"].tied} == {True, False}
        save_model(lab_model(name, torch.float32), VOCABULARY, tmp_path)
        draws = np.random.default_rng(0)
        scalars = [Scalar(draws.integers(0, 30, n), int(draws.integers(0, 30))) for n in (7, 3, 5, 3)]
        module = lab_model(name, torch.float64)
        matrices = [p.requires_grad_(True) for p in module.parameters() if p.ndim > 1]
        gradients = []
        for scalar in scalars:
            logs = module(torch.tensor(scalar.ids)[None]).logits[0, -1].log_softmax(-1)
            found = torch.autograd.grad(logs[scalar.next_id], matrices)
            gradients.append(torch.cat([g.flatten() for g in found]).numpy())
        module.requires_grad_(False)
        expected = np.array(gradients) @ np.array(gradients).T
        norms = np.sqrt(np.diagonal(expected))
        kernel = record.kernel_of(str(tmp_path), scalars)
        assert kernel.source == "factors"
        assert (np.abs(kernel.matrix() - expected) <= FLOAT32 * np.outer(norms, norms)).all()

    def test_large_models_are_sketched(self, tmp_path, monkeypatch):
        monkeypatch.setattr(record, "MOST_EXACT", 10)
        save_model(lab_model("uniform-plain", torch.float32), VOCABULARY, tmp_path)
        kernel = record.kernel_of(str(tmp_path), [Scalar(np.array([0, 5, 9]), 3), Scalar(np.array([0, 7]), 4)])
        assert kernel.source == "sketch"
        assert (np.diagonal(kernel.matrix()) > 0).all()


class TestCapacity:
    def test_values_of_people_are_asked_for_at_every_place(self, tmp_path):
        study = of_values.study(saved(tmp_path, "capacity"))
        data = MAKE["capacity"](DATA["capacity"], 0).data
        assert [len(scalar.ids) for scalar in study.scalars] == [4, 6, 8, 10] * 2
        for person, scalar in enumerate(study.scalars):
            word = data.vocabulary.words([scalar.ids[-1]])[0]
            value = data.values[person, int(word.removeprefix("attribute")), 0]
            assert data.vocabulary.words([scalar.next_id])[0] == f"value{value}"
        assert study.exposures_per_step == 0.5

    def test_ranks_count_directions(self):
        ranks = {n.quantity: n.value for n in of_values._ranks(np.diag([1.0, 4.0, 4.0]))}
        assert ranks[COSINE_RANK] == pytest.approx(3)
        assert 2 < ranks[RANK] < 3
        assert [n.value for n in of_values._ranks(np.ones((3, 3)))] == pytest.approx([1, 1])


class TestGrammar:
    def test_all_log_probabilities_are_of_one_word_after_ends_of_subtrees(self, tmp_path):
        trained = saved(tmp_path, "grammar")
        study = of_tokens.study(trained)
        assert len({scalar.next_id for scalar in study.scalars}) == 1
        assert {int(scalar.ids[0]) for scalar in study.scalars} == {END_ID}
        assert 40 < len(study.scalars) <= of_tokens.MOST_TOKENS
        assert not any(np.isin(END_ID, scalar.ids[1:]) for scalar in study.scalars)

    def test_a_kernel_of_the_labels_is_aligned_with_them(self, tmp_path):
        grammar, draws = grammar_of(DATA["grammar"]), np.random.default_rng(0)
        forest = of_tokens.sample_forest(grammar, 100, draws)
        tokens = of_tokens._tokens(forest, 1, draws)
        labels = of_tokens.labels_of(forest, tokens)
        assert set(labels) == {"NT5", "NT6"}
        assert all((labels["NT5"] == forest.ancestors(1)[tokens]) & forest.ends(1)[tokens])
        kernel = (labels["NT5"][:, None] == labels["NT5"]).astype(float)
        found = {(n.quantity, n.of): n.value for n in of_tokens._alignments(kernel, labels)}
        assert found[DEBIASED, "NT5"] == pytest.approx(1)
        assert found[DEBIASED, "NT6"] < 0.9

    def test_a_masked_model_has_no_next_token(self, tmp_path):
        assert of_tokens.study(saved(tmp_path, "grammar", replace(SMALL, masked=True))) is None


class TestKnowledge:
    def test_a_value_is_asked_for_and_told(self, tmp_path):
        trained = saved(tmp_path, "knowledge")
        given, study = taught(trained.data, trained.seed), of_people.study(trained)
        words = given.language.vocabulary.words
        asked, told = np.array_split(np.array(study.scalars, dtype=object), 2)
        assert len(asked) == len(told) == 6 * len(given.tested)
        for question, text in zip(asked, told, strict=True):
            assert question.next_id == text.next_id
            kind, *name, answer = words(question.ids[1:])
            assert (answer, text.ids[0]) == ("answer:", END_ID)
            assert set(name) <= set(words(text.ids))
            assert kind.endswith("?")
        assert study.exposures_per_step == pytest.approx(4 / 6)

    def test_a_person_is_compared_with_others_about_the_same_attribute(self):
        """Two people; gradients of one person and attribute agree, those of two people have the cosine 0.6."""
        asked = np.zeros((2, 6, 24))
        told = np.zeros((2, 6, 24))
        for person in range(2):
            for attribute in range(6):
                asked[person, attribute, 2 * attribute + person] = 2
                told[person, attribute, 2 * attribute + person] = 0.8
                told[person, attribute, 2 * attribute + 1 - person] = 0.6
        vectors = np.concatenate([asked.reshape(12, -1), told.reshape(12, -1)])
        found = {n.quantity: n.value for n in of_people._cosines(vectors @ vectors.T)}
        assert (found[SAME], found[OTHER], found[MARGIN]) == pytest.approx((0.8, 0.6, 0.2))


def test_all_trainings_are_put_into_one_table_and_drawn(tmp_path):
    trained = [saved(tmp_path / name, name) for name in DATA]
    files = {key: str(tmp_path / key) for key in lab_tables("lab_kernel")}
    of = [
        {
            "arm": t.arm,
            "seed": t.seed,
            "data": asdict(t.data),
            "experiment": f"internal_physics.lab.experiments.{t.arm}.experiment",
        }
        for t in trained
    ]
    write_kernels(of, [str(tmp_path / t.arm) for t in trained], files, threads=1)
    rows = read_table(files["lab_kernel_parquet"], LAB_KERNEL)
    assert rows.groupby("arm")["step"].unique().map(list).to_dict() == {name: [0, 2] for name in DATA}
    assert set(rows["status"]) == {"ok"}
    assert rows.loc[rows["experiment"] == "grammar", "exposures"].isna().all()
    assert set(rows.loc[(rows["arm"] == "capacity") & (rows["step"] == 2), "exposures"]) == {1.0}
    figure = lab_kernel.draw(rows)
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == [
        "question and text of one person",
        "directions of people's values",
        *(f"gradients follow the symbol above ({level})" for level in ("NT6", "NT5")),
    ]
    ranks = rows[rows["quantity"] == COSINE_RANK].sort_values("step")
    thick = [line for line in figure.axes[1].lines if line.get_linewidth() > 1]
    assert thick[0].get_ydata().tolist() == pytest.approx((ranks["value"] / 8).tolist())


def test_the_figure_without_rows_has_no_panel():
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in LAB_KERNEL.columns})
    assert not lab_kernel.draw(empty).axes
