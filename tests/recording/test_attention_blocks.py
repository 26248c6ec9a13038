"""Attention rows of models whose blocks have none, or two of them: each stands at the block that gives it."""

import math

import numpy as np
import pytest
import transformers as T
from attention_models import PROMPTS, entropy, model_of, qwen3_next, reported, traces_of
from cases import record
from internal_physics.families.information.attention import attention_metric_rows
from internal_physics.families.information.attention_statuses import NO_ATTENTION
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.loading import wrap_model


def test_rows_stand_at_the_block_that_gives_them_and_the_others_say_that_they_have_none():
    for prompt in PROMPTS:
        trace = traces_of("qwen3_next")[prompt.prompt.name]
        (rows,) = reported("qwen3_next", prompt.ids)
        assert {key.layer for key in trace.tensors if key.site == "attention"} == {1}
        assert trace.tensor("attention", 1, "entropy_nats") == pytest.approx(entropy(rows), abs=1e-5)
        found = {row.layer: row for row in attention_metric_rows(trace) if row.quantity == "attention_entropy_nats"}
        assert [found[layer].status for layer in range(3)] == [NO_ATTENTION, "ok", NO_ATTENTION]
        assert found[1].value == pytest.approx(entropy(rows)[:, -1].mean(), abs=1e-5)
        assert [math.isnan(found[layer].value) for layer in range(3)] == [True, False, True]
    assert model_of("qwen3_next").attention_blocks == (1,)


def test_a_block_with_two_attentions_has_the_heads_of_both():
    trace = traces_of("two_attentions")["b"]
    own = reported("two_attentions", PROMPTS[1].ids)
    assert model_of("two_attentions").attention_blocks == (0, 1, 1, 2)
    assert [trace.tensor("attention", layer, "entropy_nats").shape[0] for layer in range(3)] == [4, 8, 4]
    found = trace.tensor("attention", 1, "entropy_nats")
    assert found == pytest.approx(np.concatenate([entropy(own[1]), entropy(own[2])]), abs=1e-5)
    rows = [row for row in attention_metric_rows(trace) if row.quantity == "attention_entropy_head_nats"]
    assert [sum(row.layer == layer for row in rows) for layer in range(3)] == [4, 8, 4]


class OfUnknownOrigin(T.Qwen3NextForCausalLM):
    """Returns copies of its attention rows."""

    def forward(self, *args, **kwargs):
        output = super().forward(*args, **kwargs)
        if output.attentions:
            output.attentions = tuple(rows.clone() for rows in output.attentions)
        return output


def test_rows_that_no_block_gives_are_refused_with_what_to_do():
    module = qwen3_next().eval()
    module.__class__ = OfUnknownOrigin
    model = wrap_model(module, None)
    with pytest.raises(ArchitectureError, match="1 attention tensors for 3 blocks") as refusal:
        record(model, PROMPTS, weight_gradients="none")
    assert "record.attention_entropy" in str(refusal.value)
    assert record(model, PROMPTS, weight_gradients="none", attention_entropy=False)
