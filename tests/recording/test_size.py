"""The expected size of a record is that of its numbers; small tensors (norms, attention rows) are left out."""

import pytest
from cases import case, record
from internal_physics.recording.recorder import RecordOptions
from internal_physics.recording.size import BYTES_PER_NUMBER, expected_bytes

COUNTED = ("activation", "gradient", "input", "output_gradient", "ids", "logits")


def held_bytes(trace):
    return BYTES_PER_NUMBER * sum(array.size for key, array in trace.tensors.items() if key.quantity in COUNTED)


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_without_factors_it_is_exact(name, logits):
    tiny = case(name)
    for kept in ("norms", "none"):
        options = RecordOptions(weight_gradients=kept, logits=logits)
        for trace in record(tiny.model, tiny.encoded, weight_gradients=kept, logits=logits).values():
            expected = expected_bytes(tiny.model.anatomy, trace.n_tokens, options, n_vocabulary=tiny.model.n_embeddings)
            assert held_bytes(trace) == expected


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_with_factors_it_is_an_upper_bound_that_is_too_large_by_shared_inputs_alone(name):
    """query, key and value share their input, as gate and up do: less than half of the numbers."""
    tiny = case(name)
    for trace in record(tiny.model, tiny.encoded).values():
        expected = expected_bytes(
            tiny.model.anatomy, trace.n_tokens, RecordOptions(), n_vocabulary=tiny.model.n_embeddings
        )
        assert 0.5 * expected < held_bytes(trace) <= expected
