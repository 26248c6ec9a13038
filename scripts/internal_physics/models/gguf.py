"""GGUF → an ordinary float32 safetensors snapshot."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert(path: Path, destination: Path) -> None:
    """De-quantise a GGUF model to float32 and save model and tokenizer into `destination`.

    A model loaded from GGUF refuses `save_pretrained`, so its weights move into a fresh model of the same
    config without the quantisation entry.
    """
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
