"""Kinds of maps, by name and place, over every architecture that the tests know."""

import pytest
from internal_physics.models.kinds import KINDS, expert_of, family_of, kind_of

LLAMA = {
    "model.layers.2.self_attn.q_proj.weight": "query",
    "model.layers.2.self_attn.k_proj.weight": "key",
    "model.layers.2.self_attn.v_proj.weight": "value",
    "model.layers.2.self_attn.o_proj.weight": "output",
    "model.layers.2.mlp.gate_proj.weight": "gate",
    "model.layers.2.mlp.up_proj.weight": "up",
    "model.layers.2.mlp.down_proj.weight": "down",
}
OTHERS = {
    "transformer.h.2.attn.c_attn.weight": "fused_qkv",
    "transformer.h.2.attn.c_proj.weight": "output",
    "transformer.h.2.mlp.c_proj.weight": "down",
    "transformer.h.2.mlp.c_fc.weight": "up",
    "gpt_neox.layers.2.attention.dense.weight": "output",
    "gpt_neox.layers.2.mlp.dense_h_to_4h.weight": "up",
    "gpt_neox.layers.2.mlp.dense_4h_to_h.weight": "down",
    "bert.encoder.layer.2.attention.self.query.weight": "query",
    "bert.encoder.layer.2.attention.output.dense.weight": "output",
    "bert.encoder.layer.2.intermediate.dense.weight": "up",
    "bert.encoder.layer.2.output.dense.weight": "down",
    "model.decoder.layers.2.self_attn.out_proj.weight": "output",
    "distilbert.transformer.layer.2.ffn.lin2.weight": "down",
    "model.layers.2.self_attn.qkv_proj.weight": "fused_qkv",
    "model.layers.2.mlp.gate_up_proj.weight": "fused_gate_up",
    "model.layers.2.mlp.gate.weight": "router",  # a router of experts is not a gate
    "model.layers.2.block_sparse_moe.router.layer.weight": "router",
    "model.layers.2.mlp.shared_expert_gate.weight": "other",
    "model.layers.2.mlp.shared_experts.down_proj.weight": "down",
    "model.layers.2.mlp.experts.gate_up_proj[11]": "expert_gate_up",
    "model.layers.2.mlp.experts.down_proj[0]": "expert_down",
    "model.layers.2.block_sparse_moe.experts.3.w1.weight": "expert_gate",
    "backbone.layers.2.mixer.conv1d.weight": "convolution",
    "model.layers.2.adapter.wonder.weight": "other",
}


@pytest.mark.parametrize(("name", "kind"), list((LLAMA | OTHERS).items()))
def test_maps_inside_a_block(name, kind):
    assert kind_of(name, layer=2, n_layers=3, lookup=False) == kind
    assert kind in KINDS


@pytest.mark.parametrize(
    ("name", "layer", "lookup", "kind"),
    [
        ("model.embed_tokens.weight", -1, True, "embedding"),
        ("transformer.wpe.weight", -1, True, "position"),
        ("bert.embeddings.position_embeddings.weight", -1, True, "position"),
        ("bert.embeddings.token_type_embeddings.weight", -1, True, "segment"),
        ("lm_head.weight", 3, False, "readout"),
        ("cls.predictions.transform.dense.weight", 3, False, "other"),
        ("model.project_in.weight", -1, False, "other"),
    ],
)
def test_maps_outside_the_blocks(name, layer, lookup, kind):
    assert kind_of(name, layer=layer, n_layers=3, lookup=lookup) == kind


def test_a_family_is_the_same_map_in_every_block():
    assert family_of("model.layers.10.mlp.up_proj.weight", 10) == "model.layers.*.mlp.up_proj.weight"
    assert family_of("h.1.experts.1.w1.weight", 1) == "h.*.experts.1.w1.weight"
    assert family_of("lm_head.weight", 30) == "lm_head.weight"


@pytest.mark.parametrize(
    ("name", "expert"),
    [
        ("model.layers.2.mlp.experts.down_proj[13]", 13),
        ("model.layers.2.block_sparse_moe.experts.3.w1.weight", 3),
        ("model.layers.2.mlp.shared_experts.down_proj.weight", None),
        ("model.layers.2.mlp.gate.weight", None),
        ("blocks.1.recurrent.gate_weight[2]", None),  # a head of a stack, of no expert
    ],
)
def test_the_number_of_an_expert_is_in_its_name(name, expert):
    assert expert_of(name) == expert
