"""Damage, as hypothesis strategies: to any file by its bytes, and to JSON-like content by its meaning."""

import copy
import json
import math
from typing import NamedTuple

from hypothesis import strategies as st

JUNK = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**63), 10**30, 0.5, -1e-300, 1e308, math.nan, math.inf),
    *("", " ", "x", "nan", "null", "1e3", "\0", "\ud800", "../x", "日本", "a" * 3000, "torch.float99", "{{ x }}"),
    *([], [[]], [None], [1, "2", None], {}, {"": None}, {"a": {"b": [{}]}}, [[[[[[[[1]]]]]]]]),
)
FACTORS = (-1, 0, 2, 10**6, 0.5)


def copied_junk():
    """One of `JUNK`, which nobody else holds."""
    return st.sampled_from(range(len(JUNK))).map(lambda i: copy.deepcopy(JUNK[i]))


@st.composite
def bytes_damaged(draw, content, within=None):
    """`content` after one to three changes of bytes, all of them at positions of the range `within`."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        low, high = within or (0, len(found))
        start = draw(st.integers(low, max(low, min(high, len(found)) - 1)))
        stop = start + draw(st.sampled_from([1, 2, 8, 40, 400]))
        piece = found[start:stop]
        match draw(st.sampled_from(["flip", "truncate", "insert", "delete", "zero", "duplicate"])):
            case "flip":
                found[start : start + 1] = bytes(b ^ (1 << draw(st.integers(0, 7))) for b in piece[:1])
            case "truncate":
                del found[start:]
            case "insert":
                found[start:start] = draw(st.binary(min_size=1, max_size=9))
            case "delete":
                del found[start:stop]
            case "zero":
                found[start:stop] = bytes(len(piece))
            case "duplicate":
                found[start:start] = piece
    return bytes(found)


class Place(NamedTuple):
    """A value in nested content: its holder and the key or position in it."""

    holder: dict | list
    key: str | int


def places(content):
    """Every value below the root, in order."""
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(entries):
        yield Place(content, key)
        yield from places(value)


@st.composite
def meaning_damaged(draw, content):
    """JSON-like content with one or two values of another type, size or sign, missing, renamed, repeated or swapped."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 2))):
        everywhere = list(places(content))
        if not everywhere or draw(st.integers(0, 40)) == 0:
            return draw(copied_junk())
        _damage(draw, draw(st.sampled_from(everywhere)), draw(st.sampled_from(everywhere)))
    return content


def _damage(draw, place, other):
    holder, key = place
    value = holder[key]
    match draw(st.sampled_from(["junk", "junk", "delete", "rename", "other", "scale", "text", "list", "grow"])):
        case "junk":
            holder[key] = draw(copied_junk())
        case "delete":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[draw(st.sampled_from([f"{key}x", key.upper(), "", " "])) if isinstance(key, str) else "x"] = (
                holder.pop(key)
            )
        case "other":
            holder[key] = copy.deepcopy(other.holder[other.key])
        case "scale" if isinstance(value, int | float):
            holder[key] = value * draw(st.sampled_from(FACTORS))
        case "text":
            holder[key] = str(value)
        case "list":
            holder[key] = [value]
        case _ if isinstance(value, list):
            holder[key] = value * 2 if draw(st.booleans()) else value[: len(value) // 2]
        case _ if isinstance(value, int) and not isinstance(value, bool):
            holder[key] = value + draw(st.sampled_from([-1, 1]))
        case _:
            holder[key] = draw(copied_junk())


@st.composite
def json_damaged(draw, content):
    """JSON text whose meaning is damaged; now and then with a key that is given twice."""
    found = draw(meaning_damaged(content))
    text = json.dumps(found)
    if isinstance(found, dict) and found and draw(st.integers(0, 5)) == 0:
        key = draw(st.sampled_from(sorted(map(str, found))))
        text = f"{{{json.dumps(key)}: {json.dumps(draw(copied_junk()))}, {text[1:]}"
    return text.encode()


def safetensors_damaged(content):
    """A safetensors file whose header is damaged by meaning."""
    end = 8 + int.from_bytes(content[:8], "little")
    return meaning_damaged(json.loads(content[8:end])).map(lambda tree: _safetensors(tree, content[end:]))


def _safetensors(tree, body):
    header = json.dumps(tree).encode()
    return len(header).to_bytes(8, "little") + header + body
