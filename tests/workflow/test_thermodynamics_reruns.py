"""What the weights' rules redo: a new prompt no spectrum, a threshold the phases and what hangs below them."""

import pandas as pd
import pytest
from workflow_runs import BELOW_PHASES, CONFIG, MODELS, RECORDS, WEIGHT_TABLES, figures_of

PUBLISHED = (
    *("name", "temperature", "entropy", "energy", "free_energy", "W_norm", "G_norm", "dE", "dT", "dG_norm", "dS", "dF"),
    *("specific_heat", "susceptibility", "compressibility", "latent_heat_jump", "neg_specific_heat"),
    *("suscept_divergent", "high_compress"),
)


def test_a_new_prompt_recomputes_no_spectrum(tree):
    tree.edit(CONFIG, "      - {name: short,", '      - {name: new, text: "a new one"}\n      - {name: short,')
    plan = tree.plan()
    assert "spectra" not in plan.labels
    assert plan.jobs["thermodynamics"] == len(MODELS)


@pytest.mark.parametrize("change", ["flags: fixed", "compressibility_sigmas: 2.5", "n_permutations: 99"])
def test_a_threshold_recomputes_only_the_phases_and_below(tree, change):
    tree.append(CONFIG, f"thermodynamics: {{{change}}}")
    plan = tree.plan()
    assert plan.jobs["phases"] == len(MODELS)
    assert plan.labels == {"phases", *BELOW_PHASES}


def test_another_order_recomputes_states_and_no_spectrum(tree):
    tree.append(CONFIG, "thermodynamics: {order: name}")
    plan = tree.plan()
    assert plan.jobs["thermodynamics"] == plan.jobs["phases"] == len(MODELS)
    assert not {"spectra", "gradient_flow", *RECORDS} & plan.labels


def test_a_changed_decomposition_records_nothing(tree):
    tree.append("scripts/internal_physics/families/thermodynamics/spectra.py", "CHANGED = True")
    plan = tree.plan()
    assert plan.jobs["spectra"] == plan.jobs["thermodynamics"] == len(MODELS)
    assert not {"gradient_flow", *RECORDS} & plan.labels


def test_rules_of_the_weights_are_off_when_they_are_not_asked_for(fresh, tmp_path):
    tree = fresh.copy(tmp_path / "tree")
    tree.append(CONFIG, "metrics: [ec]")
    assert not {"spectra", "thermodynamics", "phases", *figures_of(*WEIGHT_TABLES)} & tree.plan().labels


def test_the_published_columns_come_first_and_rows_are_in_the_published_order(base):
    for model in MODELS:
        table = pd.read_csv(base.path(f"results/thermodynamics/{model}.csv"))
        assert tuple(table.columns[: len(PUBLISHED)]) == PUBLISHED
        for _, rows in table.groupby(["prompt_set", "prompt"]):
            assert list(rows.name) == sorted(rows.name)
