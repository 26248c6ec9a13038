"""How much memory a model will take, known before it is loaded. No heavy imports."""

from dataclasses import dataclass
from pathlib import Path

from internal_physics.ground.errors import ModelError
from internal_physics.models.checkpoint import stored_tensors

BYTES_PER_WEIGHT = {"float64": 8.0, "float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
# A 4-bit weight carries one scale per 64 values; an 8-bit one a scale per row.
BYTES_PER_QUANTIZED_WEIGHT = {"nf4": 0.5 + 4 / 64, "fp4": 0.5 + 4 / 64, "int8": 1.0}
OVERHEAD_BYTES = 1_500_000_000  # Python, torch, transformers, and the working set of one batch on a small model
ACTIVATION_SHARE = 0.35  # what a batch of short prompts adds to the weights


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes a model takes once loaded, and while prompts are recorded."""

    weights: int
    total: int

    @property
    def total_mb(self) -> int:
        """Total in MB (10^6 bytes), rounded up."""
        return -(-self.total // 1_000_000)


def estimate_memory(snapshot: str | Path, dtype: str, quantization: str) -> MemoryEstimate:
    """Estimate from the headers of the safetensors files; no weight is read.

    Quantisation acts on the 2-D weights of linear maps; embeddings and norms keep `dtype`. While a quantised model
    is being loaded the un-quantised shard is in memory too: the largest tensor is added.
    """
    matrices = others = largest = 0
    for tensor in stored_tensors(snapshot):
        name, size = tensor.name, tensor.size
        largest = max(largest, size)
        if len(tensor.shape) == 2 and "embed" not in name and "lm_head" not in name and "wte" not in name:
            matrices += size
        else:
            others += size
    plain = BYTES_PER_WEIGHT[dtype]
    per_matrix = BYTES_PER_QUANTIZED_WEIGHT.get(quantization, plain)
    weights = int(matrices * per_matrix + others * plain)
    return MemoryEstimate(weights, int(weights * (1 + ACTIVATION_SHARE) + largest * 4 + OVERHEAD_BYTES))


def estimate_readout(snapshot: str | Path, dtype: str) -> MemoryEstimate:
    """Memory of the readout alone: nearly all of it is the head, the largest tensor; twice that while it is loaded."""
    largest = max((tensor.size for tensor in stored_tensors(snapshot)), default=0)
    weights = int(largest * BYTES_PER_WEIGHT[dtype])
    return MemoryEstimate(weights, 2 * weights + OVERHEAD_BYTES)


def require_fits(estimate: MemoryEstimate, available: int, place: str) -> None:
    """Refuse a model that cannot fit.

    Raises:
        ModelError: with both figures.
    """
    if estimate.weights > available:
        raise ModelError(
            f"its weights take {estimate.weights / 1e9:.1f} GB and {available / 1e9:.1f} GB are free on {place}",
            expected="a model that fits",
            todo="choose quantization: nf4 or int8, a smaller dtype, a larger machine, or device: balanced",
        )
