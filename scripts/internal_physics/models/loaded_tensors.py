"""What loading makes of each stored tensor, known from the headers of a model's files. No heavy imports."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from internal_physics.models.checkpoint import CONFIG, stored_tensors
from internal_physics.models.safetensors_header import BITS, FLOATS, StoredTensor
from internal_physics.models.stored_quantization import BITSANDBYTES, StoredQuantization, stored_quantization

BYTES_PER_WEIGHT = {"float64": 8.0, "float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
# A 4-bit weight carries one scale per 64 values; an 8-bit one a scale per row.
BYTES_PER_QUANTIZED_WEIGHT = {"nf4": 0.5 + 4 / 64, "fp4": 0.5 + 4 / 64, "int8": 1.0}
_BITS = {"nf4": 4, "fp4": 4, "int8": 8}
_DTYPES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_TABLE = re.compile(r"embed|lm_head|wte|wpe|decoder\.weight$")  # embeddings and heads, which are not quantised
_HEAD = re.compile(r"lm_head|embed_out|decoder\.weight$")
_SCALES = re.compile(r"_scale_inv$|_scales$|\.weight_scale$|\.activation_scale$")  # of FP8 and MXFP4
_EXPERT = re.compile(r"\.experts\.\d+\.")  # a matrix of one expert: transformers makes one tensor of all of them
_FOURS = re.compile(r"_blocks$")  # of MXFP4: two entries to a byte


@dataclass(frozen=True)
class LoadedTensor:
    """A stored tensor, and what loading makes of it.

    Attributes:
        stored: as it lies in its file.
        n_bytes: of the loaded tensor.
        made_anew: whether it is another one than the stored, in memory of its own.
        entries: number of weights, of a packed tensor too.
        bits: 4 or 8 if it is the matrix of a quantised map once loaded, else 0.
    """

    stored: StoredTensor
    n_bytes: float
    made_anew: bool
    entries: int
    bits: int = 0

    @property
    def packed(self) -> bool:
        """Whether it is the matrix of a quantised map once loaded."""
        return self.bits > 0

    @property
    def stored_dtype(self) -> str:
        """Number format in the file, as options name it; "" for codes."""
        return _DTYPES.get(self.stored.dtype, "")

    @property
    def is_table(self) -> bool:
        """Whether it is an embedding or a head."""
        return len(self.stored.shape) == 2 and bool(_TABLE.search(self.stored.name))

    @property
    def is_head(self) -> bool:
        """Whether it is a head."""
        return self.is_table and bool(_HEAD.search(self.stored.name))

    @property
    def is_expert(self) -> bool:
        """Whether it is a matrix of an expert, or a stack of those of all experts."""
        shape, name = self.stored.shape, self.stored.name
        return (len(shape) >= 3 and ".experts." in name) or (len(shape) == 2 and bool(_EXPERT.search(name)))

    @property
    def is_linear(self) -> bool:
        """Whether it is the matrix of a linear map, the head and experts apart."""
        return len(self.stored.shape) == 2 and not self.is_table and not self.is_expert and self.n_bytes > 0


def loaded_tensors(snapshot: str | Path, dtype: str, quantization: str) -> list[LoadedTensor]:
    """Every tensor of a snapshot with what loading makes of it; no weight is read.

    Args:
        snapshot: its folder.
        dtype: of everything that is not quantised.
        quantization: of the linear maps; none and auto leave them as they are stored.

    Raises:
        SourceError: for weights that are damaged or missing.
    """
    stored = stored_quantization(snapshot) if (Path(snapshot) / CONFIG).is_file() else None
    return list(_loaded(snapshot, dtype, quantization, stored))


def _loaded(
    snapshot: str | Path, dtype: str, quantization: str, method: StoredQuantization | None
) -> Iterator[LoadedTensor]:
    for tensor in stored_tensors(snapshot):
        if method is not None and method.method != BITSANDBYTES:
            yield _dequantized(tensor, dtype)
        elif tensor.dtype not in FLOATS:
            yield _as_stored(tensor)
        elif method is None and quantization in _BITS and _is_matrix(tensor):
            n_bytes = tensor.size * BYTES_PER_QUANTIZED_WEIGHT[quantization]
            yield LoadedTensor(tensor, n_bytes, True, tensor.size, _BITS[quantization])
        else:
            yield _plain(tensor, dtype)


def _is_matrix(tensor: StoredTensor) -> bool:
    """Whether it becomes the matrix of a linear map, which bitsandbytes quantises; a stack of experts is none."""
    return len(tensor.shape) == 2 and not _TABLE.search(tensor.name) and not _EXPERT.search(tensor.name)


def _plain(tensor: StoredTensor, dtype: str) -> LoadedTensor:
    n_bytes = tensor.size * BYTES_PER_WEIGHT[dtype]
    made_anew = _DTYPES[tensor.dtype] != dtype or bool(_EXPERT.search(tensor.name))
    return LoadedTensor(tensor, n_bytes, made_anew, tensor.size)


def _as_stored(tensor: StoredTensor) -> LoadedTensor:
    """Codes: bitsandbytes packs two 4-bit weights into a byte of a column, and 8-bit ones as they are."""
    if len(tensor.shape) != 2:
        return LoadedTensor(tensor, tensor.n_bytes, False, tensor.size)
    bits = 4 if 1 in tensor.shape else 8
    return LoadedTensor(tensor, tensor.n_bytes, False, tensor.size * BITS[tensor.dtype] // bits, bits)


def _dequantized(tensor: StoredTensor, dtype: str) -> LoadedTensor:
    """FP8 and MXFP4 become weights of `dtype`; their scales are used up."""
    if _SCALES.search(tensor.name):
        return LoadedTensor(tensor, 0, True, 0)
    if tensor.dtype in FLOATS:
        return _plain(tensor, dtype)
    entries = tensor.size * (2 if _FOURS.search(tensor.name) else 1)
    return LoadedTensor(tensor, entries * BYTES_PER_WEIGHT[dtype], True, entries)
