"""Quantise linear maps outside the blocks of a loaded model, as bitsandbytes would while loading it."""

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.quantizers.base import get_keys_to_not_convert

from internal_physics.models.anatomy import Anatomy


def pack_linear_maps(module: PreTrainedModel, anatomy: Anatomy, config: BitsAndBytesConfig | None, device: str) -> None:
    """Replace every linear map outside the blocks that bitsandbytes would pack; nothing without a config.

    The head, tied weights and the last module stay as they are: transformers keeps them out of quantisation.
    """
    if config is None:
        return
    kept = get_keys_to_not_convert(module)
    for name, linear in list(module.named_modules()):
        if type(linear) is nn.Linear and not anatomy.is_in_blocks(name) and not _is_kept(name, kept):
            module.set_submodule(name, _packed(linear, config, device))


def _is_kept(name: str, kept: list[str]) -> bool:
    return any(name == key or name.startswith(f"{key}.") for key in kept)


def _packed(linear: nn.Linear, config: BitsAndBytesConfig, device: str) -> nn.Module:
    import bitsandbytes as bnb  # noqa: PLC0415  (more than a second, which no other model has to wait for)

    shape, bias = (linear.in_features, linear.out_features), linear.bias is not None
    packed: bnb.nn.Linear8bitLt | bnb.nn.Linear4bit
    if config.load_in_8bit:
        packed = bnb.nn.Linear8bitLt(*shape, bias=bias, has_fp16_weights=False, threshold=config.llm_int8_threshold)
        packed.weight = bnb.nn.Int8Params(linear.weight.cpu(), requires_grad=False, has_fp16_weights=False)
    else:
        how = {"quant_type": config.bnb_4bit_quant_type, "compress_statistics": config.bnb_4bit_use_double_quant}
        packed = bnb.nn.Linear4bit(*shape, bias=bias, compute_dtype=config.bnb_4bit_compute_dtype, **how)
        packed.weight = bnb.nn.Params4bit(linear.weight.cpu(), requires_grad=False, **how)
    if bias:
        packed.bias = linear.bias
    return packed.to(torch.device(device))
