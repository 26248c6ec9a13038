"""Measures of models of grammars, on a model that knows its grammar and on one that knows nothing."""

import numpy as np
import pandas as pd
import pytest
import torch
from grammar_oracle import GrammarOracle
from internal_physics.config.options.lab_grammar import GrammarData, GrammarMeasures
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.status import OK
from internal_physics.lab.data.grammars.forest import sample_forest
from internal_physics.lab.data.grammars.laws import tree_entropy_nats
from internal_physics.lab.data.grammars.training import FIRST_TERMINAL_ID
from internal_physics.lab.experiments.experiment import OF_ARM, Trained
from internal_physics.lab.experiments.grammar import attention, distribution, passes, probing
from internal_physics.lab.experiments.grammar.data import batches, grammar_of
from internal_physics.lab.experiments.grammar.experiment import EXPERIMENT
from internal_physics.lab.experiments.grammar.many_tokens import probe_many_tokens
from internal_physics.lab.experiments.grammar.measures import MASKED, measure
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.tables.conform import conform
from tiny_grammars import TINY

DATA = GrammarData(steps=2, rows_per_step=2)
PART = grammar_of(DATA)
MEASURES = GrammarMeasures(cuts=(0, 10, 99), n_generated=6, n_strings=8, n_probed=20)


def untrained(attention_kind="rotary", masked=False):
    options = LabModelOptions(attention=attention_kind, layers=1, width=16, heads=2, masked=masked)
    of_data = batches(DATA, 0)
    return build_model(lab_config(options, of_data.vocabulary, of_data.tokens_per_row), seed=1), of_data.vocabulary


def trained(folder, **options):
    model, vocabulary = untrained(**options)
    for step in (0, 2):
        save_model(model, vocabulary, folder / str(step))
    return Trained("arm", 3, DATA, {step: str(folder / str(step)) for step in (0, 2)})


def test_a_model_that_knows_the_grammar_has_no_distance_and_writes_only_strings():
    forest = sample_forest(TINY, 400, np.random.default_rng(0))
    model = GrammarOracle(TINY)
    divergences = distribution.divergences_nats(model, forest)
    assert [d.size for d in divergences] == (forest.lengths + 1).tolist()
    assert max(d.max() for d in divergences) < 1e-12
    for cut, entropy in ((0, tree_entropy_nats(TINY)), (2, None)):
        found = distribution.generate(model, forest, cut, 400, seed=0)
        assert (found.n, found.accuracy) == (400, 1.0)
        assert found.entropy_nats == pytest.approx(
            found.grammar_entropy_nats, rel=0.15
        )  # 400 strings: 5 % is one error
        assert found.n_distinct == pytest.approx(found.n_distinct_grammar, rel=0.25)
        assert entropy is None or found.grammar_entropy_nats == pytest.approx(entropy, rel=0.1)


def test_the_distance_is_the_divergence_of_the_models_own_distribution():
    model, _ = untrained()
    forest = sample_forest(PART, 5, np.random.default_rng(0))
    divergences = distribution.divergences_nats(model, forest)
    tree = int(forest.lengths.argmax())
    string = forest.strings()[tree]
    ids = torch.tensor([[0, *(string - 1 + FIRST_TERMINAL_ID)]])
    q = model(ids).logits[0].double().softmax(-1)[:, [0, 2, 3, 4]].detach().numpy()
    p = distribution.prefixes(PART, [string])[0].next_tokens
    expected = [sum(a * np.log(a / b) for a, b in zip(*pq, strict=True) if a > 0) for pq in zip(p, q, strict=True)]
    assert divergences[tree] == pytest.approx(expected, rel=1e-4)  # batches differ by float32 rounding
    assert distribution.mean_divergence_nats(divergences, 8) == pytest.approx(
        np.concatenate([d[8:] for d in divergences]).mean()
    )
    assert np.isnan(distribution.mean_divergence_nats(divergences, 99))


def test_residuals_of_groups_are_those_of_single_strings():
    model, _ = untrained()
    forest = sample_forest(PART, 6, np.random.default_rng(1))
    found = passes.residuals(model, forest)
    assert found.shape == (2, forest.terminals.size, 16)
    first = 0
    for string in forest.strings():
        ids = torch.tensor([[0, *(string - 1 + FIRST_TERMINAL_ID)]])
        kept = torch.stack(model(ids, output_hidden_states=True).hidden_states)[:, 0, 1:].detach().numpy()
        assert found[:, first : first + string.size] == pytest.approx(kept, abs=1e-5)  # another batch, float32
        first += string.size


def test_labels_told_to_the_probe_are_read_and_noise_is_not():
    forest = sample_forest(PART, 300, np.random.default_rng(2))
    is_fitted = probing.is_fitted_on(forest)
    assert 0.4 < is_fitted.mean() < 0.6
    for task in probing.tasks(forest):
        told = np.zeros((forest.terminals.size, 3))
        told[task.places, task.labels] = 1
        assert probing.probe(told, task, is_fitted).accuracy == 1
        noise = np.random.default_rng(3).normal(size=told.shape)
        found = probing.probe(noise, task, is_fitted)
        assert found.accuracy == pytest.approx(found.majority, abs=0.1)
        assert found.n_tokens == (~is_fitted[task.places]).sum()
    assert probe_many_tokens(told, task, is_fitted, forest.lengths, heads=2, steps=60).accuracy >= 0.95


def test_uniform_attention_is_explained_by_places_and_other_attention_is_not():
    forest = sample_forest(PART, 30, np.random.default_rng(4))
    rests = {kind: attention.beyond_places(untrained(kind)[0], forest) for kind in ("uniform", "rotary")}
    assert np.nanmax(np.abs(rests["uniform"])) < 1e-7  # float32 rows of equal numbers
    assert np.nanmax(np.abs(rests["rotary"])) > 1e-3
    assert np.nanmean(rests["rotary"][0, :, 5, 3]) == pytest.approx(0, abs=1e-12)


def test_excesses_are_the_means_over_pairs_that_loops_find():
    forest = sample_forest(PART, 7, np.random.default_rng(5))
    longest = forest.lengths.max()
    beyond = np.random.default_rng(6).normal(size=(1, 7, longest, longest))
    beyond[0, np.arange(longest) >= forest.lengths[:, None]] = np.nan
    found = {(e.level, e.kind, e.offset): e for e in attention.excesses(beyond, forest)}
    starts = np.cumsum(forest.lengths) - forest.lengths
    for level, shift in ((1, 0), (2, -1), (2, 2)):
        values = []
        for tree, (start, n) in enumerate(zip(starts, forest.lengths, strict=True)):
            ends = forest.ends(level)[start : start + n]
            values += [
                beyond[0, tree, j, i] for j in range(n) for i in range(j) if 0 <= i + shift < n and ends[i + shift]
            ]
        assert found[level, "to_end", shift].attention == pytest.approx(np.mean(values), rel=1e-12)
        assert found[level, "to_end", shift].n_pairs == len(values)
    for level, distance in ((1, 1), (2, 0), (2, 2)):
        values = []
        for tree, (start, n) in enumerate(zip(starts, forest.lengths, strict=True)):
            at = forest.boundaries()[start : start + n] == level
            trees = forest.subtrees(level)[start : start + n]
            pairs = [(j, i) for j in range(n) for i in range(n) if at[i] and at[j] and trees[j] - trees[i] == distance]
            values += [beyond[0, tree, j, i] for j, i in pairs]
        assert found[level, "between_ends", distance].attention == pytest.approx(np.mean(values), rel=1e-12)


@pytest.mark.parametrize("probe", ["diagonal", "multi_head"])
def test_a_model_fills_the_tables_as_they_are_described(tmp_path, probe):
    options = GrammarMeasures(cuts=(0, 99), n_generated=4, n_strings=6, n_probed=20, probe=probe, probe_steps=2)
    found = measure(trained(tmp_path), options)
    for table in EXPERIMENT.tables:
        conformed = conform(found[table.name].assign(arm="arm", seed=3), table)
        assert set(found[table.name].columns) | set(OF_ARM) == set(table.columns)
        assert not conformed.duplicated(list(table.key)).any()
        assert conformed.loc[conformed["status"] == OK, list(table.finite)].notna().all().all()
    learned = found["lab_grammar"]
    assert learned["step"].tolist() == [0, 0, 2, 2]
    assert learned["status"].tolist() == [OK, "no string is longer than the cut"] * 2
    assert set(found["lab_grammar_probes"]["level"]) == {"NT5", "NT6"}


def test_the_control_of_the_probes_is_the_mean_over_models_of_other_draws(tmp_path):
    of_draws = [
        measure(trained(tmp_path), GrammarMeasures(n_generated=1, n_strings=2, n_probed=30, random_draws=n))
        for n in (1, 2, 3)
    ]
    tables = [found["lab_grammar_probes"].set_index(["residual", "level", "target"]) for found in of_draws]
    random = [table[table["weights"] == "random"] for table in tables]
    # the sums of one, two and three draws, of which each begins with the draws of the one before
    one, two, three = (rows["accuracy"] * rows["n_draws"] for rows in random)
    single = pd.concat([one, two - one, three - two], axis=1)
    assert (single.nunique(axis=1) > 1).any()
    assert random[2]["accuracy_std"].to_numpy() == pytest.approx(single.std(axis=1).to_numpy(), abs=1e-9)
    assert [rows["n_draws"].unique().tolist() for rows in random] == [[1], [2], [3]]
    assert random[0]["accuracy_std"].isna().all()
    learned = [table[table["weights"] == "trained"] for table in tables]
    assert {tuple(rows["accuracy"]) for rows in learned} == {tuple(learned[0]["accuracy"])}
    assert learned[2]["n_draws"].eq(1).all()
    assert learned[2]["accuracy_std"].isna().all()


def test_a_masked_model_is_probed_and_has_no_next_token(tmp_path):
    found = measure(trained(tmp_path, masked=True), MEASURES)
    rows = {t.name: conform(found[t.name].assign(arm="arm", seed=3), t) for t in EXPERIMENT.tables}
    assert set(rows["lab_grammar"]["status"]) == {MASKED}
    assert rows["lab_grammar"]["kl_nats"].isna().all()
    assert rows["lab_grammar_probes"]["accuracy"].notna().all()


def test_the_grammar_of_an_arm_is_named_read_or_drawn(tmp_path):
    assert PART.name == "cfg3f-13"
    assert grammar_of(GrammarData(root=0)).depth == 6
    drawn = grammar_of(GrammarData("cfg3h", rules_seed=4, root=13))
    assert drawn.name == "cfg3h-rules-4-13"
    (tmp_path / "mine.yaml").write_text("levels: [[9], [1, 2]]\nrules: {9: [[1, 2], [2]]}")
    assert grammar_of(GrammarData(str(tmp_path / "mine.yaml"), root=0)).words == ("1", "2")
    with pytest.raises(ConfigError, match="no shape 'mine'"):
        grammar_of(GrammarData("mine", rules_seed=1))
    with pytest.raises(ConfigError, match="no grammar 'cfg3h'"):
        grammar_of(GrammarData("cfg3h"))
