"""The status of every row: "ok", or why a value is missing or must be read with care."""

import math

OK = "ok"


def join_status(*notes: str) -> str:
    """One status from several notes: "ok" if all are empty, else each distinct phrase once, joined by "; "."""
    return "; ".join(dict.fromkeys(note for note in notes if note not in ("", OK))) or OK


def value_status(value: float, otherwise: str = "not finite") -> str:
    """Return "ok" for a finite number, else the phrase `otherwise`."""
    return OK if math.isfinite(value) else otherwise
