"""A tiny LLaMA as a GGUF file, with a byte-level tokenizer: read by transformers as any other."""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

N_LAYERS, WIDTH, N_HIDDEN, N_HEADS = 2, 32, 64, 4
TOKENS = ["<s>", "</s>", *(chr(code) for code in range(ord("a"), ord("z") + 1)), "Ġ", ".", "ab"]
MERGES = ["a b"]


def write_gguf(
    path: Path, architecture: str = "llama", *, seed: int = 0, tensors: bool = True, kind: str = "F32"
) -> Path:
    """A random model whose matrices are stored as `kind`, the rest as F32.

    Of another architecture, only a header that says so is worth anything.
    """
    writer = GGUFWriter(str(path), architecture)
    writer.add_block_count(N_LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(N_HIDDEN)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // N_HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_merges(MERGES)
    writer.add_token_types([1] * len(TOKENS))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    for name, shape in _shapes().items() if tensors else ():
        stored = GGMLQuantizationType[kind if len(shape) == 2 else "F32"]
        values = _values(name, shape, seed)
        writer.add_tensor(name, values if stored.name == "F32" else quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _values(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, *name.encode()])
    return (rng.standard_normal(shape) * 0.3 + (len(shape) == 1)).astype(np.float32)


def _shapes() -> dict[str, tuple[int, ...]]:
    block = {
        **dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH)),
        **dict.fromkeys(("ffn_gate", "ffn_up"), (N_HIDDEN, WIDTH)),
        "ffn_down": (WIDTH, N_HIDDEN),
        **dict.fromkeys(("attn_norm", "ffn_norm"), (WIDTH,)),
    }
    blocks = {f"blk.{i}.{name}.weight": shape for i in range(N_LAYERS) for name, shape in block.items()}
    outside = {"token_embd.weight": (len(TOKENS), WIDTH), "output.weight": (len(TOKENS), WIDTH)}
    return {**outside, "output_norm.weight": (WIDTH,), **blocks}
