"""Estimates for a large study: their counts equal those of a small model of the same kind."""

from pathlib import Path

import pytest
import yaml
from internal_physics.docs.estimates import SMOLLM2, STUDY, Shape, estimates, layer_rows
from tiny_models import N_VOCABULARY, save_snapshot

ROOT = Path(__file__).parents[2]
TINY = Shape(blocks=3, width=32, feed_forward=64, key_value=16, vocabulary=N_VOCABULARY)  # tiny_models' llama


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    import internal_physics as ip

    return ip.record(ip.load(str(save_snapshot(tmp_path_factory.mktemp("llama"), "llama"))), "one two three")


def numbers_of(trace, *quantities):
    return sum(trace.tensors[key].size for key in trace.tensors if key.quantity in quantities)


def test_the_numbers_of_a_record_are_those_of_a_model(trace):
    assert numbers_of(trace, "activation", "gradient") == trace.n_tokens * TINY.residual_numbers
    assert numbers_of(trace, "input", "output_gradient", "ids") == trace.n_tokens * TINY.factor_numbers


def test_every_weight_and_every_row_is_counted(trace):
    assert len(trace.parameters) == TINY.weights
    assert (STUDY.shape.weights, SMOLLM2.weights) == (562, 211)
    assert layer_rows(TINY) == 3 + 3 + 4 + 3 * (4 + 3)


def test_a_spectrum_costs_the_cube_of_the_width():
    small = Shape(10, 100, 300, 50, 0)
    large = Shape(10, 200, 600, 100, 0)
    assert large.spectrum_operations == 8 * small.spectrum_operations


def test_gpu_hours_follow_from_loading_and_writing():
    measured = yaml.safe_load((ROOT / "docs" / "measured" / "scale.yaml").read_text(encoding="utf-8"))
    found = estimates(measured)
    seconds = found["load_seconds"] + found["write_seconds"]
    assert found["recording_seconds"] == pytest.approx(seconds, rel=1e-12)
    assert float(found["gpu_hours_of_a_model"]) == pytest.approx(2 * seconds / 3600, abs=0.05)  # one digit is shown
    assert found["gpu_hours"] == pytest.approx(200 * seconds / 3600, rel=0.05)  # two digits are shown
