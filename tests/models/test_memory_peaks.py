"""The memory estimate against the measured peak of loading and recording, for every precision."""

import json
import os
import subprocess
import sys
from pathlib import Path

import memory_peaks
import pytest
import torch
import transformers as T
from internal_physics.models.memory import estimate_memory
from internal_physics.models.passes import largest_pass
from safetensors.torch import load_file, save_file
from tiny_models import build_tokenizer, save_snapshot

# Matrices of 38 MB in float32: more than the C library keeps on its heap; 260 MB in all, more than the
# working memory.
SIZES = {
    **{"hidden_size": 3072, "intermediate_size": 3072, "vocab_size": 3072, "num_hidden_layers": 1},
    **{"num_attention_heads": 24, "num_key_value_heads": 1},
    **{"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0},
}
CASES = (
    *(("float32", {"dtype": dtype}) for dtype in ("float32", "bfloat16", "float16", "float64")),
    *(("float32", {"quantization": name}) for name in ("int8", "nf4", "fp4")),
    ("float32", {"dtype": "bfloat16", "quantization": "nf4"}),
    ("bfloat16", {"dtype": "float32"}),
    ("nf4", {}),
    ("int8", {}),
    ("fp8", {}),
    ("experts", {}),
    ("experts", {"quantization": "nf4"}),
)
# 300 MB in experts, which are stored one by one and become one tensor that stays as it is.
MIXTURE = {
    **{"hidden_size": 1024, "intermediate_size": 3072, "vocab_size": 3072, "num_hidden_layers": 1},
    **{"num_attention_heads": 8, "num_key_value_heads": 1, "num_local_experts": 8, "num_experts_per_tok": 2},
    **{"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0},
}
NAMES = ["-".join([stored, *options.values()]) for stored, options in CASES]
BAND = 0.25  # of the peak, both ways; see `models.memory`
FP8_BLOCK = 64


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """The same model stored in five ways, and a mixture of experts."""
    root = tmp_path_factory.mktemp("large")
    torch.manual_seed(0)
    model = T.LlamaForCausalLM(T.LlamaConfig(**SIZES))
    model.save_pretrained(root / "float32")
    model.to(torch.bfloat16).save_pretrained(root / "bfloat16")
    for name, how in {
        "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "int8": {"load_in_8bit": True},
    }.items():
        settings = T.BitsAndBytesConfig(**how)
        T.AutoModelForCausalLM.from_pretrained(
            root / "float32", quantization_config=settings, device_map="cpu"
        ).save_pretrained(root / name)
    save_fp8(root / "bfloat16", root / "fp8")
    T.MixtralForCausalLM(T.MixtralConfig(**MIXTURE)).save_pretrained(root / "experts")
    for name in ("float32", "bfloat16", "nf4", "int8", "fp8", "experts"):
        build_tokenizer().save_pretrained(root / name)
    return root


def save_fp8(plain: Path, folder: Path) -> None:
    folder.mkdir()
    tensors = load_file(plain / "model.safetensors")
    for name in [name for name, values in tensors.items() if values.ndim == 2 and "layers" in name]:
        n_rows, n_columns = tensors[name].shape
        tensors[name] = tensors[name].to(torch.float8_e4m3fn)
        tensors[f"{name}_scale_inv"] = torch.ones(n_rows // FP8_BLOCK, n_columns // FP8_BLOCK)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((plain / "config.json").read_text())
    settings = {"quant_method": "fp8", "weight_block_size": [FP8_BLOCK] * 2, "activation_scheme": "dynamic"}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": settings}))


@pytest.fixture(scope="module")
def peaks(folders) -> dict[str, dict[str, float]]:
    """Peaks of every case, in MB, each from a separate process."""
    tiny = save_snapshot(folders / "tiny", "llama")
    cases = folders / "cases.json"
    cases.write_text(json.dumps([[str(folders / stored), options] for stored, options in CASES]))
    command = [sys.executable, memory_peaks.__file__, str(tiny), str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    return dict(zip(NAMES, map(json.loads, done.stdout.splitlines()), strict=True))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize(("stored", "options"), CASES, ids=NAMES)
def test_the_estimate_is_within_a_quarter_of_the_measured_peak(folders, peaks, stored, options):
    found = peaks["-".join([stored, *options.values()])]
    n_tokens = max(len(text) for text in memory_peaks.TEXTS)  # one a character
    largest = largest_pass(["abc" * n_tokens], batch_size=len(memory_peaks.TEXTS), batch_tokens=1024)
    dtype, quantization = options.get("dtype", "float32"), options.get("quantization", "auto")
    estimate = estimate_memory(folders / stored, dtype, quantization, largest)
    above = max(estimate.loading, estimate.recording) / 1e6
    assert above == pytest.approx(found["above"], rel=BAND), "above the libraries"
    assert estimate.total / 1e6 == pytest.approx(found["process"], rel=BAND), "of the process"
