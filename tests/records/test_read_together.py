"""Gradients that are read some weights at a time are those that are read one by one."""

import numpy as np
import pytest
from hand_traces import make_trace
from internal_physics.ground.errors import StoreError
from internal_physics.records import read_together
from internal_physics.records.read_together import gradients_in_turn, with_factors
from internal_physics.records.store import read_trace


@pytest.mark.parametrize("bytes_at_once", [1, 400, 2**25])
def test_every_gradient_comes_in_its_turn(written, monkeypatch, bytes_at_once):
    monkeypatch.setattr(read_together, "_BYTES_AT_ONCE", bytes_at_once)
    for trace in (read_trace(written), make_trace()):
        names = trace.parameters[::-1]
        found = list(gradients_in_turn(trace, names))
        assert len(found) == len(names) > 2
        for name, gradient in zip(names, found, strict=True):
            np.testing.assert_array_equal(gradient.dense(), trace.gradient(name).dense())


def test_few_calls_read_many_weights(written, monkeypatch):
    trace = read_trace(written)
    reads = []
    plain = type(trace.tensors).read_many
    monkeypatch.setattr(type(trace.tensors), "read_many", lambda self, keys: reads.append(keys) or plain(self, keys))
    assert len(list(gradients_in_turn(trace, trace.parameters))) == len(trace.parameters)
    assert len(reads) == 1
    assert len(set(reads[0])) == len(reads[0])  # maps that share an input have it read once


def test_only_the_factors_that_were_asked_for_are_there(written):
    trace = read_trace(written)
    first, second, *_ = trace.parameters
    alone = with_factors(trace, [first])
    np.testing.assert_array_equal(alone.gradient(first).dense(), trace.gradient(first).dense())
    with pytest.raises(StoreError):
        alone.gradient(second)


def test_no_weights_and_records_without_factors():
    assert list(gradients_in_turn(make_trace(), [])) == []
    with pytest.raises(StoreError, match="norms"):
        next(gradients_in_turn(make_trace(keep="norms"), make_trace().parameters))
