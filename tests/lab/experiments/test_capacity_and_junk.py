"""Bits that models hold: of one that knows everything, and of one that is rounded; gates and figures."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.config.options.lab_bio_d import BioDSizes
from internal_physics.config.options.lab_capacity import CapacityData, CapacityMeasures
from internal_physics.config.options.lab_junk import JunkData
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.ground.status import OK
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.bio_d import draw_bio_d
from internal_physics.lab.experiments.bio_d_losses import people_losses
from internal_physics.lab.experiments.capacity import data as capacity_data
from internal_physics.lab.experiments.capacity import gates as capacity_gates
from internal_physics.lab.experiments.capacity import measures as capacity_measures
from internal_physics.lab.experiments.capacity.experiment import EXPERIMENT as CAPACITY
from internal_physics.lab.experiments.capacity.figures import lab_capacity
from internal_physics.lab.experiments.capacity.rounding import rounded
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.junk import gates as junk_gates
from internal_physics.lab.experiments.junk import measures as junk_measures
from internal_physics.lab.experiments.junk.experiment import EXPERIMENT as JUNK
from internal_physics.lab.experiments.junk.figures import lab_junk
from internal_physics.lab.models.build import build_model, lab_config, save_model
from internal_physics.tables.conform import conform

SIZES = BioDSizes(people=12, attributes=2, chunks=2, diversity=5, chunk_tokens=2, value_tokens=4, name_pool=9)


class Oracle:
    """A model that knows all people: names uniform among them, then every value, whatever the order of attributes."""

    device = torch.device("cpu")

    def __init__(self, data, head):
        self.data, self.head = data, head
        rows = [data.of_people(np.arange(data.sizes.people), generator(number, "oracle")) for number in range(40)]
        self.rows = np.unique(np.concatenate(rows)[:, 1:], axis=0)

    def __call__(self, ids):
        logits = torch.full((*ids.shape, len(self.data.vocabulary)), -1e9)
        for b, row in enumerate(ids.numpy()):
            for t in range(len(row)):
                said = row[self.head : t + 1]
                fitting = self.rows[(self.rows[:, : len(said)] == said).all(axis=1)]
                people = np.unique(fitting[:, :2], axis=0, return_inverse=True)[1].reshape(-1)
                for token in np.unique(fitting[:, len(said)]) if len(said) < fitting.shape[1] else [0]:
                    share = len(np.unique(people[fitting[:, len(said)] == token])) if t < self.head + 1 else 1
                    logits[b, t, token] = math.log(share)
        return SimpleNamespace(logits=logits)


def test_a_model_that_knows_everything_has_the_losses_of_the_formulas():
    data = draw_bio_d(SIZES, seed=0)
    losses = people_losses(Oracle(data, 1), data, orders=2, seed=3)
    assert losses.name == pytest.approx(math.log(12), rel=1e-6)
    assert (losses.value, losses.first_chunk) == pytest.approx((0.0, 0.0), abs=1e-6)


def trained(folder, data, batches):
    options = LabModelOptions(layers=1, width=8, heads=2)
    given = batches(data, 3)
    model = build_model(lab_config(options, given.vocabulary, given.tokens_per_row), seed=1)
    for step in (0, given.steps):
        save_model(model, given.vocabulary, folder / str(step))
    return Trained("arm", 3, data, {step: str(folder / str(step)) for step in (0, given.steps)})


def test_capacity_rows_agree_with_a_count_by_hand(tmp_path):
    data = CapacityData(SIZES, exposures=2, people_per_window=3, windows=2)
    arm = trained(tmp_path, data, capacity_data.batches)
    found = capacity_measures.measure(arm, CapacityMeasures(orders=1, rounded_to=(8, 2)))["lab_capacity"]
    rows = conform(found.assign(arm="arm", seed=3), CAPACITY.tables[0])
    assert rows[["step", "weight_bits"]].to_numpy().tolist() == [[0, 32], [4, 32], [4, 8], [4, 2]]
    row = rows.iloc[1]
    by_hand = 12 * (math.log2(81) - row["name_nats"] / math.log(2))
    by_hand += 12 * 2 * (2 * math.log2(5) - row["value_nats"] / math.log(2))
    by_hand += 2 * 5 * (math.log2(16 / 5) - row["first_chunk_nats"] / math.log(2))
    assert row["bits_per_parameter"] * row["n_parameters"] == pytest.approx(by_hand, rel=1e-9)
    assert row["first_chunk_nats"] == pytest.approx(row["value_nats"] / 2, rel=0.3)  # two chunks, nothing learned
    most = 12 * math.log2(81 / 12) + 24 * 2 * math.log2(5) + 10 * math.log2(16 / 5)
    assert row["most_bits_per_parameter"] * row["n_parameters"] == pytest.approx(most, rel=1e-9)


def test_words_that_no_text_has_are_no_parameters(tmp_path):
    data = draw_bio_d(SIZES, seed=3)
    given = capacity_data.batches(CapacityData(SIZES, exposures=3, people_per_window=3), 3)
    model = build_model(lab_config(LabModelOptions(width=8), given.vocabulary, given.tokens_per_row), seed=1)
    all_texts = np.concatenate([data.of_people(np.arange(12), generator(n, "any")) for n in range(5)])
    unused = len(data.vocabulary) - len(np.unique(all_texts))
    assert unused >= 2  # <pad> and <domain>
    assert capacity_measures.used_parameters(model, data) == model.num_parameters() - 8 * unused


def test_rounding_moves_no_number_by_more_than_half_a_step_and_keeps_zeros():
    matrix = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    matrix[2] = 0
    for bits in (8, 4, 2):
        step = matrix.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
        found = rounded(matrix, bits)
        assert ((found - matrix).abs() <= step / 2 + 1e-7).all() and (found[2] == 0).all()
        assert all(len(row.unique()) <= 2**bits - 1 for row in found)


def test_eight_bits_of_bitsandbytes_are_the_nearest_of_equal_steps_of_each_row():
    matrix = torch.randn(30, 16, generator=torch.Generator().manual_seed(1))
    step = matrix.abs().amax(dim=1, keepdim=True) / 127
    torch.testing.assert_close(rounded(matrix, 8), (matrix / step).round() * step, rtol=0, atol=1e-6)  # float32


def test_few_people_are_learned_in_few_exposures_so_there_is_no_bar():
    few = capacity_table().assign(people=200)
    found = {gate.claim.split(":")[0]: gate for gate in capacity_gates.gates({"lab_capacity": few}, {})}
    assert (found["Arm few"].is_hard, found["Arm few"].high) == (False, 1 + capacity_gates.EPSILON)
    assert found["Arm many"].is_hard


def capacity_table():
    def rows(arm, exposures, shares, rounded_shares):
        for seed, share in enumerate(shares):
            for bits, left in ((32, 1.0), *rounded_shares.items()):
                yield {
                    "arm": arm,
                    "seed": seed,
                    "step": 10,
                    "weight_bits": bits,
                    "people": 500,
                    "exposures": exposures,
                    "n_parameters": 10_000,
                    "bits_per_parameter": 1.4 * share * left,
                    "most_bits_per_parameter": 1.4,
                    "status": OK,
                }

    many = rows("many", 1000, (0.95, 0.99), {8: 0.99, 4: -1.5})
    return pd.DataFrame([*many, *rows("few", 100, (0.3, 0.5), {8: 0.98, 4: 0.6})])


def test_gates_of_capacity_judge_exposures_and_rounding():
    found = {gate.claim.split(":")[0]: gate for gate in capacity_gates.gates({"lab_capacity": capacity_table()}, {})}
    assert {name: gate.verdict for name, gate in found.items()} == {
        "Arm few": "met",
        "Arm many": "met",
        "Models store 2 bits per parameter": "missed",
        "Rounding to 8 bits": "met",
        "Rounding to 4 bits": "reported",
    }
    assert found["Rounding to 8 bits"].values == pytest.approx({0: 0.02, 1: 0.02})
    assert [gate.is_hard for gate in found.values()] == [True, True, False, True, False]


def test_junk_rows_have_the_bits_of_the_people_of_use(tmp_path):
    data = JunkData(SIZES, exposures=2, people_per_window=3, good_windows=2, junk_windows=6, domain_token="good")
    from internal_physics.lab.experiments.junk.data import batches

    found = junk_measures.measure(trained(tmp_path, data, batches), None)["lab_junk"]
    row = conform(found.assign(arm="arm", seed=3), JUNK.tables[0]).iloc[-1]
    assert (row["mixture"], row["junk_share"]) == ("junk_domain_on_good", 0.75)
    assert row["most_value_bits"] == pytest.approx(12 * 2 * 2 * math.log2(5))
    assert row["value_bits"] == pytest.approx(24 * (2 * math.log2(5) - row["value_nats"] / math.log(2)))


SHARES = {
    "good_only": (0.99, 0.98),
    "junk": (0.02, 0.05),
    "junk_domain_on_good": (0.3, 0.5),
    "junk_domain_on_all": (0.02, 0.25),
    "junk_repeated": (0.99, 0.99),
}


def junk_table():
    return pd.DataFrame(
        {
            "arm": kind,
            "seed": seed,
            "step": step,
            "mixture": kind,
            "exposures": 100,
            "junk_share": 0.0 if kind == "good_only" else 0.875,
            "value_share": share * step / 1000,
            "status": OK,
        }
        for kind, shares in SHARES.items()
        for seed, share in enumerate(shares)
        for step in (0, 500, 1000)
    )


def test_gates_of_junk_read_the_last_step_and_name_what_is_missed():
    found = {gate.claim: gate for gate in junk_gates.gates({"lab_junk": junk_table()}, {})}
    missed = [claim for claim, gate in found.items() if gate.verdict == "missed"]
    assert len(missed) == 1 and missed[0].startswith("A token before all texts")
    repaired = next(gate for claim, gate in found.items() if claim.startswith("A domain token"))
    assert repaired.values == pytest.approx({0: 15.0, 1: 10.0})
    assert len(found) == 7


def test_a_ratio_to_nothing_learned_is_infinite_and_met():
    table = junk_table()
    table.loc[table["mixture"] == "junk", "value_share"] = -0.01
    found = {gate.claim: gate for gate in junk_gates.gates({"lab_junk": table}, {})}
    repaired = next(gate for claim, gate in found.items() if claim.startswith("A domain token"))
    assert repaired.values == {0: math.inf, 1: math.inf} and repaired.verdict == "met"


def test_figures_draw_every_arm():
    figure = lab_junk.draw(junk_table())
    along, end = figure.axes
    assert len(along.lines) == 5 * 3 and len(end.patches) == 5
    _, by_size, rounding, legend = lab_capacity.draw(capacity_table()).axes
    assert len(legend.get_legend().get_texts()) == 2 and len(rounding.lines) == 4 + 1
    assert len(by_size.lines) == 2 + 1 and by_size.get_xscale() == "log"
