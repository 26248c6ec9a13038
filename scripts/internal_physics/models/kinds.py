"""What a weight does in its model, from its parameter's name and place. No heavy imports.

The names are those that the field's architectures use (llama, gpt2, gpt_neox, bloom, opt, phi3, bert, …). A name that
none of them uses is "other": a guess would mix different maps in one profile.
"""

import re

KINDS = (
    "query",
    "key",
    "value",
    "fused_qkv",
    "output",
    "gate",
    "up",
    "fused_gate_up",
    "down",
    "router",
    "expert_gate",
    "expert_up",
    "expert_gate_up",
    "expert_down",
    "convolution",
    "embedding",
    "position",
    "segment",
    "readout",
    "other",
)

# Parent module and own name, in the first pattern that fits; both are matched whole.
_IN_BLOCKS = (
    ("router", r"(.*\.)?(mlp|moe|mixer|ffn|feed_forward)\.(gate|router)(\..+)?", r".*"),
    ("query", r".*", r"q_proj|query|q_lin|wq|q"),
    ("key", r".*", r"k_proj|key|k_lin|wk|k"),
    ("value", r".*", r"v_proj|value|v_lin|wv|v"),
    ("fused_qkv", r".*", r"qkv_proj|query_key_value|c_attn|wqkv|qkv|att_proj|in_proj_qkv"),
    ("output", r".*(attn|attention).*", r"o_proj|out_proj|out_lin|c_proj|dense|wo|proj|o"),
    ("output", r".*", r"o_proj|out_lin"),
    ("fused_gate_up", r".*", r"gate_up_proj"),
    ("gate", r".*", r"gate_proj|w1"),
    ("up", r".*", r"up_proj|c_fc|fc1|fc_in|dense_h_to_4h|lin1|w3|wi|fc"),
    ("up", r".*intermediate.*", r"dense"),
    ("down", r".*", r"down_proj|fc2|fc_out|dense_4h_to_h|lin2|w2|c_proj"),
    ("down", r".*output.*", r"dense"),
    ("router", r".*router", r".*"),
    ("router", r".*(mlp|moe|mixer|ffn|feed_forward)", r"gate|router|wg"),
    ("position", r".*", r"position_bias"),
    ("convolution", r".*", r"conv|conv1d|conv_1d|.*depthwise.*"),
)
_OF_EXPERTS = {"gate": "expert_gate", "up": "expert_up", "fused_gate_up": "expert_gate_up", "down": "expert_down"}
_EXPERTS = re.compile(r"(?:^|\.)(?:local_)?experts\.(?:(\d+)\.)?(?:.*\[(\d+)\]$)?")  # not the shared ones
_READOUTS = r"lm_head|embed_out|decoder|vocab_projector|output_projection|output|head"


def kind_of(name: str, *, layer: int, n_layers: int, lookup: bool) -> str:
    """The kind of map of one weight, one of `KINDS`.

    Args:
        name: canonical name of the parameter, such as "model.layers.0.self_attn.q_proj.weight".
        layer: -1 before the blocks, 0..L-1 inside block l, L after them.
        n_layers: L.
        lookup: whether its first use is a table look-up. A tied embedding is an embedding, not a readout.
    """
    *parents, own = re.sub(r"\[\d+\]$", "", name.lower()).removesuffix(".weight").split(".")
    if lookup:
        return _kind_of_table(own)
    if layer == n_layers:
        return "readout" if re.fullmatch(_READOUTS, own) else "other"
    kind = _kind_of_map(_within_block(parents), own) if 0 <= layer < n_layers else "other"
    return _OF_EXPERTS.get(kind, kind) if in_experts(name) else kind


def in_experts(name: str) -> bool:
    """Whether a weight is of the experts among which a router chooses; shared experts get every token."""
    return _EXPERTS.search(name) is not None


def expert_of(name: str) -> int | None:
    """The number of the expert that a matrix belongs to, from 0; None for any other weight.

    `experts.down_proj[3]` and `experts.3.w2.weight` are of expert 3.
    """
    found = _EXPERTS.search(name)
    number = None if found is None else found[1] or found[2]
    return None if number is None else int(number)


def family_of(name: str, layer: int) -> str:
    """The name with its block's number as a star: equal for the same map in every block."""
    return re.sub(rf"\.{layer}\.", ".*.", name, count=1) if layer >= 0 else name


def _kind_of_table(own: str) -> str:
    if re.search(r"position|wpe|pos_emb", own):
        return "position"
    return "segment" if re.search(r"token_type|segment", own) else "embedding"


def _within_block(parents: list[str]) -> str:
    """The path inside the block: what follows the block's number."""
    numbers = [i for i, part in enumerate(parents) if part.isdigit()]
    return ".".join(parents[numbers[0] + 1 :] if numbers else parents)


def _kind_of_map(parent: str, own: str) -> str:
    for kind, place, names in _IN_BLOCKS:
        if re.fullmatch(names, own) and re.fullmatch(place, parent):
            return kind
    return "other"
