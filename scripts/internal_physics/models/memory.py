"""How much memory a model takes, known before it is loaded, from the headers of its files. No heavy imports.

Counted is resident memory. safetensors files are mapped, not read: a tensor that stays as it is stored is used where it
lies; one that is converted or quantised is made anew beside it, and what was read of a file stays resident while any
tensor of it is in use. A job takes the libraries and the larger of

    loading:    stored tensors that are made anew + what is made of them + working arrays while one matrix is quantised
    recording:  stored tensors that are in use as they lie, with the rest of their files + what was made anew
                + de-quantised matrices + activations of the largest pass

A table that is only looked up in and is used where it lies stays on disk but for the rows of the tokens.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from internal_physics.ground.errors import ModelError
from internal_physics.models.checkpoint import stored_tensors
from internal_physics.models.loaded_tensors import BYTES_PER_WEIGHT, LoadedTensor, loaded_tensors
from internal_physics.models.passes import DEFAULT_PASS, Pass, experts_per_token

# Python, torch, transformers, bitsandbytes and pyarrow, once a model of no size has been recorded.
LIBRARY_BYTES = 480_000_000
WORKFLOW_BYTES = 500_000_000  # Snakemake's own two processes, which a cluster counts to a job
CUDA_BYTES = 1_500_000_000  # allowance for the host's side of CUDA; not measured
LENS_BYTES = 1_500_000_000  # libraries and residuals of a job that reads records through the readout
# Working arrays of bitsandbytes while it quantises one matrix, bytes per entry: nf4 scales it and finds the levels as
# 32-bit integers; fp4 also reorders those, as 64-bit integers; int8 takes magnitudes and a scaled copy.
_QUANTIZING_BYTES = {"nf4": 10, "fp4": 24, "int8": 9}
_FLOAT_BYTES = 4  # of activations and records, whatever a narrower number format a model has
# A quantised matrix is de-quantised for each product and freed again. One of more than 32 MB goes back to the system.
# Smaller ones lie on the heap of the C library, where activations take their place, so that the next finds none: what
# the heap holds in the end is this share of all of them (seen: 0.5 to 0.9 of 4-bit matrices, 0.2 of int8 ones).
_HEAP_BYTES = 32 << 20
_LEFT_ON_HEAP = {4: 0.75, 8: 0.2}
_NUMBER = re.compile(r"\.experts\.(\d+)\.")
_COPIES_OF_LOGITS = 4  # logits, log-probabilities, their gradient, and a copy while the loss is computed


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a model takes.

    Attributes:
        weights: its parameters, once loaded.
        loading: the most while it is loaded, above the libraries.
        recording: the most while prompts are recorded, above the libraries.
        libraries: all that a job takes besides.
    """

    weights: int
    loading: int
    recording: int
    libraries: int = LIBRARY_BYTES

    @property
    def total(self) -> int:
        """The most that a job takes which loads the model and records prompts."""
        return self.libraries + max(self.loading, self.recording)

    @property
    def total_mb(self) -> int:
        """Total in MB (10^6 bytes), rounded up."""
        return -(-self.total // 1_000_000)

    @property
    def job_mb(self) -> int:
        """What a job of the workflow asks for, in MB: the total and Snakemake's processes."""
        return self.total_mb + WORKFLOW_BYTES // 1_000_000


def estimate_memory(
    snapshot: str | Path, dtype: str, quantization: str, largest: Pass = DEFAULT_PASS, *, gpu: bool = False
) -> MemoryEstimate:
    """Estimate from the headers of the safetensors files; no weight is read.

    Within 25 % of what was measured on a CPU, for models whose matrices are large or not quantised (a test measures).

    Args:
        snapshot: its folder.
        dtype: of everything that is not quantised.
        quantization: of the linear maps; none and auto leave them as they are stored.
        largest: the largest pass of the job.
        gpu: whether the job may use a GPU, whose libraries take memory of the host.

    Raises:
        SourceError: for weights that are damaged or missing.
    """
    tensors = loaded_tensors(snapshot, dtype, quantization)
    made = [t for t in tensors if t.made_anew]
    of_made = sum(t.n_bytes for t in made)
    loading = sum(t.stored.n_bytes for t in made) + of_made + _quantizing_bytes(made, dtype, quantization)
    recording = _mapped_bytes(tensors) + of_made + _dense_bytes(tensors)
    recording += _pass_bytes(tensors, dtype, largest, experts_per_token(snapshot))
    libraries = LIBRARY_BYTES + (CUDA_BYTES if gpu else 0)
    return MemoryEstimate(int(sum(t.n_bytes for t in tensors)), int(loading), int(recording), libraries)


def estimate_spectra(
    snapshot: str | Path, dtype: str, quantization: str, threads: int, *, gpu: bool = False
) -> MemoryEstimate:
    """What decomposing every weight takes: as many of the largest matrix as there are threads, in float32 and float64.

    Args:
        snapshot: its folder.
        dtype: of everything that is not quantised.
        quantization: of the linear maps.
        threads: matrices at a time.
        gpu: as of `estimate_memory`.

    Raises:
        SourceError: for weights that are damaged or missing.
    """
    loaded = estimate_memory(snapshot, dtype, quantization, Pass(0, 0), gpu=gpu)
    sizes = sorted((t.entries for t in loaded_tensors(snapshot, dtype, quantization)), reverse=True)
    decomposing = (BYTES_PER_WEIGHT["float32"] + BYTES_PER_WEIGHT["float64"]) * sum(sizes[:threads])
    tables = sum(t.n_bytes for t in stored_tensors(snapshot))  # looked-up tables are decomposed as well
    return MemoryEstimate(
        loaded.weights, loaded.loading, int(max(loaded.recording, tables) + decomposing), loaded.libraries
    )


def estimate_readout(snapshot: str | Path, dtype: str) -> MemoryEstimate:
    """Memory of the readout alone: nearly all of it is the head, the largest tensor; twice that while it is loaded."""
    largest = max((tensor.size for tensor in stored_tensors(snapshot)), default=0)
    weights = int(largest * BYTES_PER_WEIGHT[dtype])
    return MemoryEstimate(weights, 2 * weights, 2 * weights, LENS_BYTES)


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


def _quantizing_bytes(made: Sequence[LoadedTensor], dtype: str, quantization: str) -> float:
    """Working arrays while the largest matrix is quantised, with the copies in `dtype` and float32 that it needs."""
    packed = [t for t in made if t.packed]
    per_entry = _QUANTIZING_BYTES.get(quantization, 0)
    largest = max(packed, key=lambda t: t.entries, default=None)
    if largest is None:
        return 0
    casts = {dtype, "float32"} - {largest.stored_dtype}
    return (per_entry + sum(BYTES_PER_WEIGHT[name] for name in casts)) * largest.entries


def _mapped_bytes(tensors: Sequence[LoadedTensor]) -> float:
    """Of the stored tensors that stay resident: none if all were made anew."""
    if all(t.made_anew for t in tensors):
        return 0
    return sum(t.stored.n_bytes for t in tensors) - _looked_up_bytes(tensors)


def _looked_up_bytes(tensors: Sequence[LoadedTensor]) -> float:
    """Of the table of tokens, where it lies as it is stored and the head is another tensor of its shape."""
    tables = [t for t in tensors if t.is_table]
    heads = [t for t in tables if t.is_head]
    lying = [t for t in tables if not t.is_head and not t.made_anew]
    return max((t.n_bytes for t in lying if any(t.stored.shape == h.stored.shape for h in heads)), default=0)


def _dense_bytes(tensors: Sequence[LoadedTensor]) -> float:
    """Quantised matrices as they are multiplied: the largest one, or what the heap keeps of all smaller ones."""
    dense = [(t.entries * _FLOAT_BYTES, t.bits) for t in tensors if t.packed]
    left = sum(_LEFT_ON_HEAP[bits] * n_bytes for n_bytes, bits in dense if n_bytes <= _HEAP_BYTES)
    return max(left, max((n_bytes for n_bytes, _ in dense), default=0))


def _pass_bytes(tensors: Sequence[LoadedTensor], dtype: str, largest: Pass, n_chosen: int | None) -> float:
    """Activations of a forward and backward pass, and what is kept of them.

    Args:
        tensors: of the model.
        dtype: of what is not quantised.
        largest: the pass.
        n_chosen: experts that a token is routed to; None counts all.
    """
    n_bytes = max(_FLOAT_BYTES, BYTES_PER_WEIGHT[dtype])
    in_and_out = sum(_in_and_out(t) for t in tensors if t.is_linear) + _of_experts(tensors, n_chosen)
    vocabulary = max((max(t.stored.shape) for t in tensors if t.is_table), default=0)
    per_token = largest.copies * in_and_out + _COPIES_OF_LOGITS * vocabulary + largest.attention_rows
    return n_bytes * largest.n_tokens * per_token


def _in_and_out(tensor: LoadedTensor) -> float:
    """Inputs and outputs of a linear map; of a packed one, whose shape says nothing of it, as if it were square."""
    shape = tensor.stored.shape
    return 2 * sqrt(tensor.entries) if 1 in shape else sum(shape)


def _of_experts(tensors: Sequence[LoadedTensor], n_chosen: int | None) -> float:
    """Inputs and outputs of the experts of a token, stored in one stack or apart; square ones where they are packed."""
    total = 0.0
    for tensor in tensors:
        if tensor.is_expert and tensor.n_bytes:
            shape = tensor.stored.shape
            n_experts = shape[0] if len(shape) > 2 else 1
            sides = sum(shape[-2:]) if len(shape) < 4 else 2 * sqrt(tensor.entries / n_experts)
            total += sides * n_experts
    n_all = _number_of_experts(tensors)
    return total * min(n_chosen or n_all, n_all) / n_all


def _number_of_experts(tensors: Sequence[LoadedTensor]) -> int:
    """Experts of a block; 1 in a model without."""
    stacks = [t.stored.shape[0] for t in tensors if t.is_expert and len(t.stored.shape) > 2]
    apart = {match[1] for t in tensors if t.is_expert and (match := _NUMBER.search(t.stored.name))}
    return max([*stacks, len(apart), 1])
