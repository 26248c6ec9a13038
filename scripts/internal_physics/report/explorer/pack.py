"""Many arrays → one text: rounded, typed, bytes in planes, deflated, base64. The page unpacks it (data.js)."""

import base64
import zlib
from dataclasses import dataclass, field

import numpy as np

SIGNIFICANT_BITS = 14  # of a float's 24: four digits
_DROPPED_BITS = np.uint32(24 - SIGNIFICANT_BITS)
TYPES = {"float32": "f4", "uint16": "u2", "uint8": "u1"}


@dataclass
class Pack:
    """Arrays one after the other. `add` gives the place of one, which the page reads it by."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, values: np.ndarray) -> dict[str, int | str]:
        """Append an array of float32 (rounded to four digits), uint16 or uint8.

        Returns:
            {"type", "start" in bytes, "count"}.
        """
        kind = TYPES[values.dtype.name]
        flat = rounded(values).ravel() if kind == "f4" else values.ravel()
        planes = flat.astype(f"<{kind}").view(np.uint8).reshape(flat.size, flat.itemsize).T  # like bytes are together
        place: dict[str, int | str] = {"type": kind, "start": self.size, "count": int(flat.size)}
        content = np.ascontiguousarray(planes).tobytes()
        self.parts.append(content)
        self.size += len(content)
        return place

    def text(self) -> str:
        """All arrays, deflated, in base64."""
        return base64.b64encode(zlib.compress(b"".join(self.parts), level=9)).decode("ascii")


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 values, to the nearest of 14 significant bits: relative error at most 2^-14. NaN and infinity stay."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half = np.uint32(1) << (_DROPPED_BITS - np.uint32(1))
    near = ((bits + half) >> _DROPPED_BITS) << _DROPPED_BITS
    result = near.view(np.float32)
    return np.where(np.isfinite(values) & np.isfinite(result), result, values).astype(np.float32)
