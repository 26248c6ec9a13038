"""A tiny LLaMA as a GGUF file, with a byte-level tokenizer: read by transformers as any other."""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

N_LAYERS, WIDTH, N_HIDDEN, N_HEADS = 2, 32, 64, 4
TOKENS = ["<s>", "</s>", *(chr(code) for code in range(ord("a"), ord("z") + 1)), "Ġ", ".", "ab"]
MERGES = ["a b"]


def write_gguf(
    path: Path,
    architecture: str = "llama",
    *,
    seed: int = 0,
    tensors: bool = True,
    kind: str = "F32",
    width: int = WIDTH,
    more: dict[str, np.ndarray] | None = None,
    metadata: dict[str, str | float] | None = None,
) -> Path:
    """A random model whose matrices are stored as `kind`, the rest as F32.

    Of another architecture, only a header that says so is worth anything.

    Args:
        path: of the file.
        architecture: as its header names it.
        seed: of the weights.
        tensors: whether it has any.
        kind: GGUF's name of a type; of one that gguf cannot make, blocks of random bytes.
        width: d; a multiple of 256 for the K and IQ types.
        more: further tensors, stored as F32.
        metadata: further entries of the header.
    """
    writer = GGUFWriter(str(path), architecture)
    writer.add_block_count(N_LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(N_HIDDEN if width == WIDTH else width)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // N_HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_merges(MERGES)
    writer.add_token_types([1] * len(TOKENS))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    for entry, value in (metadata or {}).items():
        (writer.add_string if isinstance(value, str) else writer.add_float32)(entry, value)
    for name, shape in _shapes(width).items() if tensors else ():
        stored = GGMLQuantizationType[kind if len(shape) == 2 else "F32"]
        writer.add_tensor(name, _stored(_values(name, shape, seed), stored), raw_dtype=stored)
    for name, values in (more or {}).items():
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _stored(values: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
    try:
        return values if kind.name == "F32" else quantize(values, kind)
    except NotImplementedError:
        return _random_blocks(values.shape, kind)


def _random_blocks(shape: tuple[int, ...], kind: GGMLQuantizationType) -> np.ndarray:
    """Blocks of random bytes, drawn until they stand for numbers of the size of weights."""
    rng = np.random.default_rng(0)
    block, n_bytes = GGML_QUANT_SIZES[kind]
    n_blocks = shape[0] * shape[1] // block
    found = np.empty((0, n_bytes), dtype=np.uint8)
    for _ in range(1000):
        if len(found) >= n_blocks:
            return found[:n_blocks].reshape(shape[0], -1)
        drawn = rng.integers(0, 256, (4096, n_bytes), dtype=np.uint8)
        with np.errstate(invalid="ignore", over="ignore"):  # scales that are infinite or no number are left out
            largest = np.abs(dequantize(drawn, kind)).max(axis=1)
        found = np.concatenate([found, drawn[(largest > 1e-3) & (largest < 10)]])
    raise AssertionError(f"too few blocks of {kind.name} have weights of usual size")


def _values(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, *name.encode()])
    return (rng.standard_normal(shape) * 0.3 + (len(shape) == 1)).astype(np.float32)


def _shapes(width: int) -> dict[str, tuple[int, ...]]:
    hidden = N_HIDDEN if width == WIDTH else width
    block = {
        **dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (width, width)),
        **dict.fromkeys(("ffn_gate", "ffn_up"), (hidden, width)),
        "ffn_down": (width, hidden),
        **dict.fromkeys(("attn_norm", "ffn_norm"), (width,)),
    }
    blocks = {f"blk.{i}.{name}.weight": shape for i in range(N_LAYERS) for name, shape in block.items()}
    outside = {"token_embd.weight": (len(TOKENS), width), "output.weight": (len(TOKENS), width)}
    return {**outside, "output_norm.weight": (width,), **blocks}
