"""Trace ⇄ Parquet: one row per tensor, one row group per row, so that a reader loads only what it needs.

Columns: site, layer (int16), quantity, shape, values (list of float32, or float64 for a float64 model;
zstd + BYTE_STREAM_SPLIT, no dictionary). Everything else is in the footer's key-value metadata, as JSON.
A file is written under a temporary name and renamed: a killed job leaves no half-written file.
Every page has a checksum, and so has the metadata: numbers that changed on disk are refused when they are read.
"""

import contextlib
import hashlib
import json
import os
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.ground.errors import StoreError
from internal_physics.ground.files import HashedFile, whole_file
from internal_physics.records.info import TraceInfo
from internal_physics.records.trace import Key, Trace

SCHEMA_VERSION = 1
OPEN_FILES = 128  # at once, over all traces: a large set has more prompts than a process may have open files
_INFO, _INDEX, _SCHEMA, _VERSIONS, _DIGEST = (
    b"internal_physics:trace",
    b"internal_physics:index",
    b"internal_physics:schema",
    b"internal_physics:versions",
    b"internal_physics:sha256",  # of the others
)
_WRITTEN_AT_ONCE = 2**18  # bytes; Parquet writes a row group in about ten calls, most of them small
_RECORD_AGAIN = "delete it; the next run records it again"
_PACKAGES = ("torch", "transformers", "bitsandbytes", "numpy", "pyarrow")


def write_trace(trace: Trace, path: str | Path) -> str:
    """Write one trace to one Parquet file, atomically, and return the file's sha256 in hexadecimal.

    Raises:
        StoreError: if the disk refuses (full, read-only), naming the file; nothing is left behind.
    """
    keys = list(trace.tensors)
    schema = _schema(trace, keys)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        hashed = HashedFile(file)
        with pa.BufferedOutputStream(pa.PythonFile(hashed, mode="w"), _WRITTEN_AT_ONCE) as sink:
            _write(sink, schema, ((key, trace.tensors[key]) for key in keys))
    return hashed.sha256


def _write(sink: pa.NativeFile, schema: pa.Schema, tensors: Iterable[tuple[Key, np.ndarray]]) -> None:
    writer = pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=False,
        use_byte_stream_split=["values.list.element"],
        write_page_checksum=True,
    )
    with writer:
        for key, array in tensors:
            writer.write_batch(_row(key, array, schema), row_group_size=1)


def read_trace(path: str | Path) -> Trace:
    """Open one trace lazily: only the footer is read now, each tensor on first use.

    Raises:
        StoreError: if the file is missing, truncated, foreign, damaged, or of another schema version; the error names
            it.
    """
    path = Path(path)
    if not os.path.exists(path):
        raise StoreError(
            "there is no such file",
            where=str(path),
            expected="a record: results/tensors/{model}/{condition}/{prompt_set}/{prompt}.parquet, or a saved Trace",
            todo="check the path",
        )
    if os.path.isdir(path):
        raise StoreError("this is a folder", where=str(path), expected="the .parquet file of one prompt")
    with _reading("this is not a complete Parquet file", path):
        footer = pq.read_metadata(path)
        metadata = footer.metadata or {}
    _require_trace(metadata, path)
    with _reading("its metadata is damaged", path):
        entries = json.loads(metadata[_INDEX])
        index = {Key(*key): _Place(group, tuple(shape)) for group, (*key, shape) in enumerate(entries)}
        return Trace(TraceInfo.from_json(json.loads(metadata[_INFO])), _LazyTensors(path, index, footer))


def is_record(path: str | Path) -> bool:
    """Whether a Parquet file says that it is a record; only its footer is read.

    Raises:
        StoreError: if it is not a complete Parquet file.
    """
    with _reading("this is not a complete Parquet file", Path(path)):
        return _INFO in (pq.read_metadata(path).metadata or {})


def versions_of(path: str | Path) -> dict[str, str]:
    """Package → version that a record was made with; empty where it does not say."""
    with _reading("its metadata is damaged", Path(path)):
        return json.loads((pq.read_metadata(path).metadata or {}).get(_VERSIONS, b"{}"))


def _require_trace(metadata: Mapping[bytes, bytes], path: Path) -> None:
    """Refuse metadata that is not of a trace, of another version, or damaged (older records have no checksum)."""
    if _INFO not in metadata:
        raise StoreError(
            "this Parquet file does not contain a trace",
            where=str(path),
            expected="a record of the workflow, or a saved Trace",
        )
    version_found = metadata.get(_SCHEMA, b"").decode(errors="replace")
    if version_found != str(SCHEMA_VERSION):
        raise StoreError(
            f"schema version {version_found}",
            where=str(path),
            expected=f"version {SCHEMA_VERSION}",
            todo="delete it and run again",
        )
    if _DIGEST in metadata and metadata[_DIGEST].decode(errors="replace") != _digest(metadata):
        raise StoreError("its metadata has changed: its checksum is another", where=str(path), todo=_RECORD_AGAIN)


def _digest(metadata: Mapping[bytes, bytes]) -> str:
    return hashlib.sha256(b"\n".join(metadata.get(key, b"") for key in (_INFO, _INDEX, _SCHEMA, _VERSIONS))).hexdigest()


@contextlib.contextmanager
def _reading(failure: str, path: Path) -> Iterator[None]:
    """Whatever Parquet's reader or damaged content leads to, as an error that names the file."""
    try:
        yield
    except (StoreError, MemoryError):
        raise
    except Exception as error:
        raise StoreError(
            f"{failure} ({error})", where=str(path), todo=f"if the file is damaged, {_RECORD_AGAIN}"
        ) from error


def read_traces(paths: Iterable[str | Path]) -> Iterator[Trace]:
    """Open traces one after the other, lazily."""
    for path in paths:
        yield read_trace(path)


def released(path: str | Path, trace: Trace) -> Trace:
    """A trace that opens its file anew for every reading, so that thousands of them take no room in between."""
    return Trace(trace.info, _Reopened(Path(path)))


class _Place(NamedTuple):
    """Where a tensor is in its file, and its shape (so that only the values have to be read)."""

    row_group: int
    shape: tuple[int, ...]


class _LazyTensors(Mapping[Key, np.ndarray]):
    """Reads a tensor's row group on request, and keeps only the open file."""

    def __init__(self, path: Path, index: dict[Key, _Place], footer: pq.FileMetaData) -> None:
        self._path, self._index = path, index
        self._footer: pq.FileMetaData | None = footer
        self._file: pq.ParquetFile | None = None

    def __getitem__(self, key: Key) -> np.ndarray:
        return self.read_many([key])[0]

    def read_many(self, keys: Sequence[Key]) -> list[np.ndarray]:
        """Several tensors in one call, which takes half the time of separate calls."""
        places = [self._place(key) for key in keys]
        with _reading("cannot be read", self._path):
            table = self._opened().read_row_groups([p.row_group for p in places], columns=["values"], use_threads=False)
            rows = (row for chunk in table.column(0).chunks for row in _split(chunk))
            return [row.reshape(place.shape) for row, place in zip(rows, places, strict=True)]

    def _place(self, key: Key) -> _Place:
        if key not in self._index:
            raise StoreError(
                f"no tensor {key.quantity!r} of {key.site!r} at layer {key.layer}",
                where=str(self._path),
                expected="a record that keeps it (see record.weight_gradients and record.attention_entropy)",
            )
        return self._index[key]

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def _opened(self) -> pq.ParquetFile:
        """The open file; if too many are open, the one opened longest ago is closed."""
        if self._file is None:
            self._file = pq.ParquetFile(
                self._path, memory_map=True, metadata=self._footer, page_checksum_verification=True
            )
            _OPENED.append(weakref.ref(self))
            oldest = _OPENED.popleft()() if len(_OPENED) > OPEN_FILES else None
            if oldest is not None:
                oldest._file = oldest._footer = None
        return self._file

    def __iter__(self) -> Iterator[Key]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


class _Reopened(Mapping[Key, np.ndarray]):
    """The tensors of a file that is open only while it is read: the one that was read last stays open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, key: Key) -> np.ndarray:
        return _read_last(self._path).tensors[key]

    def __contains__(self, key: object) -> bool:
        return key in _read_last(self._path).tensors

    def __iter__(self) -> Iterator[Key]:
        return iter(_read_last(self._path).tensors)

    def __len__(self) -> int:
        return len(_read_last(self._path).tensors)


_read_last = lru_cache(maxsize=1)(read_trace)


def _split(lists: pa.ListArray) -> Iterator[np.ndarray]:
    """The rows of a list column as read-only arrays that share its memory; `to_numpy` would import pandas."""
    values, offsets = np.from_dlpack(lists.values), np.from_dlpack(lists.offsets)
    values.setflags(write=False)
    return (values[start:stop] for start, stop in pairwise(offsets))


_OPENED: deque[weakref.ref[_LazyTensors]] = deque()


def _schema(trace: Trace, keys: list[Key]) -> pa.Schema:
    double = any(trace.tensors[key].dtype == np.float64 for key in keys if key.site == "residual")
    number = pa.float64() if double else pa.float32()
    fields = [
        pa.field("site", pa.string()),
        pa.field("layer", pa.int16()),
        pa.field("quantity", pa.string()),
        pa.field("shape", pa.list_(pa.int32())),
        pa.field("values", pa.list_(pa.field("element", number, nullable=False)), nullable=False),
    ]
    texts = {
        _INFO: json.dumps(trace.info.to_json()),
        _INDEX: json.dumps([[*key, list(trace.tensors[key].shape)] for key in keys]),
        _SCHEMA: str(SCHEMA_VERSION),
        _VERSIONS: json.dumps(_versions()),
    }
    metadata = {key: value.encode() for key, value in texts.items()}
    return pa.schema(fields, metadata=metadata | {_DIGEST: _digest(metadata)})


def _row(key: Key, array: np.ndarray, schema: pa.Schema) -> pa.RecordBatch:
    kind = schema.field("values").type
    flat = np.ascontiguousarray(array, dtype=kind.value_type.to_pandas_dtype()).ravel()
    offsets = pa.py_buffer(np.array([0, flat.size], np.int32))  # from_arrays would make the values nullable
    values = pa.Array.from_buffers(kind, 1, [None, offsets], children=[pa.array(flat)])
    columns = [pa.array([key.site]), pa.array([key.layer], pa.int16()), pa.array([key.quantity])]
    columns += [pa.array([list(array.shape)], pa.list_(pa.int32())), values]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@cache  # importlib.metadata parses a package's metadata on each call, which takes longer than writing a small record
def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
