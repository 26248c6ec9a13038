"""LoRA adapters as peft saves them, written by hand, and a model that runs them beside its weights."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

SETTINGS = {"peft_type": "LORA", "r": 3, "lora_alpha": 7, "task_type": "CAUSAL_LM", "peft_version": "0.21.2"}


def write_adapter(folder: Path, base: str | Path, tensors: dict[str, torch.Tensor], **settings: object) -> Path:
    """The folder of an adapter of `base`: names of modules with the parts of peft → values."""
    folder.mkdir(parents=True, exist_ok=True)
    config = SETTINGS | {"base_model_name_or_path": str(base)} | settings
    (folder / "adapter_config.json").write_text(json.dumps(config))
    named = {f"base_model.model.{name}": values.contiguous() for name, values in tensors.items()}
    save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder


def factors(model: nn.Module, module: str, rank: int = 3, *, lengths: bool = False, bias: bool = False) -> dict:
    """Random A and B of a linear map or an embedding; with row lengths (DoRA) and a bias if asked for."""
    target = model.get_submodule(module)
    generator = torch.Generator().manual_seed(len(module) + rank)
    n_in, n_out = reversed(target.weight.shape)
    if isinstance(target, Conv1D | nn.Embedding):
        n_in, n_out = n_out, n_in

    def draw(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(shape, generator=generator)

    if isinstance(target, nn.Embedding):
        return {f"{module}.lora_embedding_A": draw(rank, n_in), f"{module}.lora_embedding_B": draw(n_out, rank)}
    found = {f"{module}.lora_A.weight": draw(rank, n_in), f"{module}.lora_B.weight": draw(n_out, rank)}
    found |= {f"{module}.lora_magnitude_vector": 1 + draw(n_out).abs()} if lengths else {}
    return found | ({f"{module}.lora_B.bias": draw(n_out)} if bias else {})


def run_beside(model: nn.Module, tensors: dict[str, torch.Tensor], scales: dict[str, float]) -> nn.Module:
    """The model with the adapter beside its weights, which stay as they are: the way in which it was trained.

    Args:
        model: changed in place.
        tensors: of the adapter.
        scales: module → what its product is multiplied by.
    """
    for module, scale in scales.items():
        own = {name.removeprefix(f"{module}."): v for name, v in tensors.items() if name.startswith(f"{module}.lora_")}
        target = model.get_submodule(module)
        target.forward = _table(target, own, scale) if isinstance(target, nn.Embedding) else _linear(target, own, scale)
    return model


def _table(table: nn.Embedding, own: dict[str, torch.Tensor], scale: float):
    def forward(ids: torch.Tensor) -> torch.Tensor:
        added = functional.embedding(ids, own["lora_embedding_A"].T) @ own["lora_embedding_B"].T
        return functional.embedding(ids, table.weight) + scale * added

    return forward


def _linear(linear: nn.Module, own: dict[str, torch.Tensor], scale: float):
    a, b = own["lora_A.weight"], own["lora_B.weight"]
    weight = linear.weight.T if isinstance(linear, Conv1D) else linear.weight

    def forward(x: torch.Tensor) -> torch.Tensor:
        y = x @ weight.T + scale * (x @ a.T) @ b.T
        if "lora_magnitude_vector" in own:
            rows = torch.stack([(weight[i] + scale * b[i] @ a).norm() for i in range(len(weight))])
            y = y * own["lora_magnitude_vector"] / rows
        y = y + scale * own["lora_B.bias"] if "lora_B.bias" in own else y
        return y if linear.bias is None else y + linear.bias

    return forward
