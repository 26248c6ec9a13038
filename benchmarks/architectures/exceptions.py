"""What single types need besides the sizes by name, because they check one size against another."""

from collections.abc import Mapping
from typing import Any

_BLOCKS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_LLAMA = {"model_type": "llama", **_BLOCKS, "vocab_size": 97, "num_key_value_heads": 2, "pad_token_id": 0}
_BERT = {"model_type": "modernbert", **_BLOCKS, "vocab_size": 97, "pad_token_id": 0}
_ULTRABERT = {**_BERT, "model_type": "ultrabert", "prediction_head_size": 32}
_VISION = {"model_type": "siglip_vision_model", **_BLOCKS, "image_size": 28, "patch_size": 14}
_T5 = {"model_type": "t5", "d_model": 32, "d_ff": 64, "d_kv": 8, "num_layers": 2, "num_heads": 4}
_SHARED_CACHE = {  # the last layer of each kind reads the keys and values of an earlier one
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
    "num_kv_shared_layers": 2,
}
_DRAFTED = {
    **{"vocab_size": 97, "head_dim": 8, "num_key_value_heads": 2, "global_head_dim": 8, "sliding_window": 8},
    **{"pad_token_id": 0, "hidden_size_per_layer_input": 0, **_BLOCKS, **_SHARED_CACHE},
}
_BYTES = {"vocab_size": 97, "intermediate_size": 64, "hidden_size_global": 32}
_ROTATION = {"rope_type": "default", "rope_theta": 10_000.0}

# Inner configs of wrappers that take a model of any type, by the name of the field.
INNER: Mapping[str, Mapping[str, Any]] = {
    "text_config": _LLAMA,
    "vision_config": _VISION,
    "text_encoder": _T5,
    "audio_encoder": {"model_type": "encodec", "hidden_size": 16, "num_filters": 4, "codebook_dim": 16},
    "audio_encoder_config": {"model_type": "mimi", **_BLOCKS, "num_filters": 4, "codebook_dim": 16},
}
# Types that serve as either, and see later tokens unless is_decoder says otherwise.
DECODER_ASKED = frozenset(
    (
        *("bert", "big_bird", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert", "reformer", "rembert"),
        *("roberta", "roberta-prelayernorm", "roc_bert", "roformer", "xlm-roberta", "xlm-roberta-xl", "xmod"),
        "bert-generation",
    )
)
# By model type; inner configs have types of their own.
EXCEPTIONS: Mapping[str, Mapping[str, Any]] = {
    "blt": {"encoder_hash_byte_group_vocab": 50},
    "blt_global_transformer": _BYTES,
    "blt_local_decoder": _BYTES,
    "blt_local_encoder": _BYTES,
    "blt_patcher": _BYTES,
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": _ROTATION, "full_attention": _ROTATION},
    },
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10_000.0, "clip_qkv": 8.0}}
    | {"ffn_config": {"ffn_hidden_size": 64}},
    "dots3_note_audio_encoder": {"adapter_input_size": 32, "adapter_out_dim": 32, "downsample_hidden_size": 8},
    "dots3_note_vision_encoder": {"adapter_in_dim": 32, "adapter_out_dim": 32, "mlp_layer_types": ["dense"] * 2},
    "esmc": {"num_key_value_heads": 4},
    "falcon_h1": {"mamba_d_ssm": 64},
    "gemma3n_text": {**_SHARED_CACHE, "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0], "laurel_rank": 4},
    "gemma4_assistant": {
        "text_config": {"model_type": "gemma4_text", **_DRAFTED, "vocab_size_per_layer_input": 0},
        "backbone_hidden_size": 32,
    },
    "gemma4_unified_assistant": {
        "text_config": {"model_type": "gemma4_unified_text", **_DRAFTED},
        "backbone_hidden_size": 32,
    },
    "gemma4_unified_vision": {"mm_embed_dim": 32, "mm_posemb_size": 16, "output_proj_dims": 32},
    "longformer": {"attention_window": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "luke": {"entity_vocab_size": 20, "entity_emb_size": 8},
    "mamba2": {"num_heads": 4, "head_dim": 16},
    "modernvbert": {"text_config": _BERT},
    "neomme": {"head_dim": 16, "embedding_rank": 8, "embedding_dim": 8},
    "perceiver": {"num_latents": 8, "d_latents": 32, "num_self_attends_per_block": 2, "num_self_attention_heads": 4}
    | {"num_cross_attention_heads": 4},
    "phi4_multimodal_audio": {"num_blocks": 2, "ext_pw_out_channel": 32, "nemo_conv_channels": 32}
    | {"depthwise_separable_out_channel": 32},
    "phi4_multimodal_vision": {"image_size": 28, "crop_size": 28},
    "qwen4_exp_text": {"head_dim": 16, "hc_lowrank": 8, "heads_per_ngram": 2, "split_ngram_parts": 1}
    | {"indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 16, "indexer_budget": 8}
    | {"indexer_compress_ratio": 4, "ngram_vocab_size_base": 50, "make_ngram_vocab_size_divisible_by": 8},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 8], "attn_layers": ["local", "lsh"]}
    | {"num_buckets": 2, "local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8},
    "roc_bert": {"pronunciation_vocab_size": 20, "pronunciation_embed_dim": 8, "shape_vocab_size": 20}
    | {"shape_embed_dim": 8},
    "ultravbert": {"text_config": _ULTRABERT},
    "xlstm": {"qk_dim_factor": 1.0, "chunk_size": 16},
    "xmod": {"default_language": "en_XX", "languages": ["en_XX"]},
    "youtu": {"pad_token_id": None},  # transformers empties the row of padding of every checkpoint that it loads
    "zamba": {"layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"], "num_hidden_layers": 4}
    | {"num_key_value_heads": 4},
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 16},
}
