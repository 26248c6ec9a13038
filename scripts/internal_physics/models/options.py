"""Options of loading a model. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from internal_physics.ground.options import Pattern

Task = Literal["causal", "masked"]
Dtype = Literal["float32", "bfloat16", "float16", "float64"]
Quantization = Literal["auto", "none", "int8", "nf4", "fp4"]
ComputeDtype = Literal["auto", "float32", "bfloat16", "float16"]
Attention = Literal["eager", "sdpa"]
PRECISION = ("dtype", "quantization", "quantization_method", "bits", "compute_dtype")  # what a record says of it
QUANTIZED_SHARE = "quantized_share"  # likewise; not in records from before it
Device = Annotated[str, Pattern("^(auto|cpu|cuda|cuda:[0-9]+|balanced)$")]
_SPELLINGS = {
    **dict.fromkeys(("fp64", "f64", "double"), "float64"),
    **dict.fromkeys(("fp32", "f32", "float", "single"), "float32"),
    **dict.fromkeys(("fp16", "f16", "half"), "float16"),
    **dict.fromkeys(("bf16", "bfloat"), "bfloat16"),
}
_QUANTIZATIONS = {
    "no": "none",
    **dict.fromkeys(("int8", "8bit", "llm.int8"), "int8"),
}
# Words with several possible meanings, and the usual one.
LIKELY = {**dict.fromkeys(("int4", "4bit", "4-bit", "uint4", "q4"), "nf4"), "gpu": "cuda"}


@dataclass(frozen=True)
class ModelOptions:
    """How a model is loaded, as the config says it.

    Attributes:
        dtype: number format of everything that is not quantised.
            - float32: 32 bits.
            - bfloat16: 16 bits, with the exponent of float32.
            - float16: 16 bits; overflows above 65,504.
            - float64: 64 bits.
        quantization: number format of the linear maps.
            - auto: as the checkpoint is stored; one that is not quantised keeps `dtype`.
            - none: they keep `dtype`; a checkpoint that is already quantised is refused.
            - int8: 8 bits, LLM.int8; activations are quantised too.
            - nf4: 4 bits, levels of a normal distribution.
            - fp4: 4 bits, floating point.
        compute_dtype: number format of products with 4-bit weights.
            - auto: float32 on a CPU, bfloat16 on a GPU.
            - float32: 32 bits.
            - bfloat16: 16 bits.
            - float16: 16 bits.
        device: where the model runs.
            - auto: a GPU where there is one, else the CPU.
            - cpu: the CPU.
            - cuda: the first GPU; cuda:N for GPU number N.
            - balanced: spread over all visible GPUs.
        task: what the model was trained for.
            - causal: it predicts the next token.
            - masked: it predicts the answer at the [MASK].
        trust_remote_code: run Python code that comes with this model; it can do anything.
    """

    dtype: Dtype = "float32"
    quantization: Quantization = "auto"
    compute_dtype: ComputeDtype = "auto"
    device: Device = "auto"
    task: Task = "causal"
    trust_remote_code: bool = False


@dataclass(frozen=True)
class LoadOptions(ModelOptions):
    """How a snapshot is loaded.

    Attributes:
        attention: how attention is computed.
            - eager: attention rows can be recorded.
            - sdpa: faster.
    """

    attention: Attention = "eager"


def spelled_dtype(dtype: Any) -> Any:
    """The name of a number format as options spell it: fp16, half, torch.float16 (text or type) are float16.

    An unknown spelling is returned as it is, and refused where options are checked.
    """
    name = str(dtype).removeprefix("torch.").lower()
    return _SPELLINGS.get(name, name if name in get_args(Dtype) else dtype)


def spelled_quantization(quantization: Any) -> Any:
    """The name of a quantisation as options spell it: NF4 and 8-bit are nf4 and int8.

    An unknown spelling is returned as it is, and refused where options are checked.
    """
    if not isinstance(quantization, str):
        return quantization
    name = quantization.lower().replace("-", "").replace("_", "")
    return _QUANTIZATIONS.get(name, name if name in get_args(Quantization) else quantization)


SPELLED = {"dtype": spelled_dtype, "compute_dtype": spelled_dtype, "quantization": spelled_quantization}
