"""A model of eight billion weights on the card, where arithmetic, not Python, is the cost."""

import resource
import shutil
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks.gpu.model import load, questions, record
from benchmarks.gpu.speed import bare_batch, milliseconds, reads

# The shape of Llama 3 8B; the vocabulary is that of the snapshot whose tokenizer is used.
SHAPE = {
    **{"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
    **{"num_attention_heads": 32, "num_key_value_heads": 8, "rope_theta": 500_000.0},
}
PRECISIONS = {"bfloat16": {"dtype": "bfloat16"}, "nf4": {"dtype": "bfloat16", "quantization": "nf4"}}
ROUNDS = 3
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def save(snapshot: Path, folder: Path, device: str = "cuda", **shape: float) -> Path:
    """Write a snapshot of such a model with random weights, in shards of two gigabytes, with another's tokenizer."""
    vocabulary = AutoModelForCausalLM.from_pretrained(snapshot, device_map="meta").config.vocab_size
    config = LlamaConfig(**{**SHAPE, "vocab_size": vocabulary, "dtype": "bfloat16", **shape})
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="2GB")
    for name in _TOKENIZER:
        if (snapshot / name).exists():
            shutil.copy2(snapshot / name, folder / name)
    return folder


def of_precision(folder: Path, name: str) -> dict[str, str]:
    """What recording sixteen prompts takes, as text; the first entry is the loading."""
    start = time.perf_counter()
    model = load(folder, "cuda", **PRECISIONS[name])
    seconds = time.perf_counter() - start
    weights = torch.cuda.memory_allocated()
    encoded = questions(model)
    found = {"weights on the card": _gigabytes(weights), "loading and self-check": f"{seconds:.0f} s"}
    bare = milliseconds(lambda: bare_batch(model, encoded), ROUNDS)
    found["bare pass, one batch"] = f"{bare:.0f} ms"
    for kept in ("none", "norms", "sketch", "factors"):
        torch.cuda.reset_peak_memory_stats()
        taken = milliseconds(lambda kept=kept: record(model, encoded, weight_gradients=kept), ROUNDS)
        found[f"record {kept}"] = f"{taken:.0f} ms ({taken / bare:.2f}×)"
        found[f"memory above the weights, {kept}"] = _gigabytes(torch.cuda.max_memory_allocated() - weights)
    found["reads by the host in a batch with norms"] = str(
        reads(lambda: record(model, encoded, weight_gradients="norms"))
    )
    print(name, found, flush=True)
    return found


def table(snapshot: Path, scratch: Path) -> list[list[str]]:
    """Rows of text, the head first; the snapshot of the large model is written below `scratch`."""
    folder = save(snapshot, scratch / "large")
    torch.cuda.empty_cache()
    found = {name: of_precision(folder, name) for name in PRECISIONS}
    rows = [[what, *(found[name][what] for name in PRECISIONS)] for what in found["bfloat16"]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return [["sixteen prompts", *PRECISIONS], *rows, ["peak memory of the host, files included", _gigabytes(peak), ""]]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
