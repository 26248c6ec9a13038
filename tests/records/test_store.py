"""The record on disk: exact to the bit, in one format, read piece by piece."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_traces import N_LAYERS, N_TOKENS, WIDTH, make_trace
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from internal_physics.families.gradient_flow.isf import gradient_gram
from internal_physics.records import store
from internal_physics.records.store import read_trace, read_traces, write_trace
from internal_physics.records.trace import Key, Trace

KEEPS = ["factors", "norms", "none"]


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("keep", KEEPS)
    def test_every_bit_comes_back(self, path, keep, dtype):
        trace = make_trace(keep=keep, dtype=dtype)
        write_trace(trace, path)
        again = read_trace(path)
        assert list(again.tensors) == list(trace.tensors)
        for key, array in trace.tensors.items():
            found = again.tensors[key]
            assert found.dtype == dtype
            assert found.shape == array.shape
            assert found.tobytes() == array.astype(dtype).tobytes()

    @pytest.mark.parametrize("keep", KEEPS)
    def test_all_metadata_comes_back(self, path, keep):
        trace = make_trace(keep=keep)
        write_trace(trace, path)
        assert read_trace(path).info == trace.info

    @pytest.mark.parametrize("size", [1, 1000])
    @pytest.mark.parametrize("keep", KEEPS)
    def test_writing_gives_the_sha256_of_the_file(self, path, keep, size):
        """Also of a file that is larger than one write (a thousand random rows are 4 MB)."""
        array = np.random.default_rng(0).standard_normal((size, 1000)).astype(np.float32)
        trace = make_trace(keep=keep)
        digest = write_trace(Trace(trace.info, {**trace.tensors, Key("x", 0, "y"): array}), path)
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest()

    @given(
        hnp.arrays(
            np.float32,
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
            elements=st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True),
        )
    )
    def test_arrays_of_any_shape_and_numbers_come_back(self, tmp_path_factory, array):
        path = tmp_path_factory.mktemp("any") / "p.parquet"
        write_trace(Trace(make_trace(keep="none").info, {Key("x", 0, "y"): array}), path)
        found = read_trace(path).tensors[Key("x", 0, "y")]
        assert found.shape == array.shape
        assert found.tobytes() == array.tobytes()

    def test_token_ids_of_any_vocabulary_are_exact_in_float32(self, path):
        ids = np.array([0, 262_143, 2**24])
        write_trace(Trace(make_trace(keep="none").info, {Key("logits", 2, "top_ids"): ids}), path)
        np.testing.assert_array_equal(read_trace(path).tensors[Key("logits", 2, "top_ids")].astype(int), ids)

    def test_a_slice_of_a_larger_array_is_stored_as_itself(self, path):
        whole = np.arange(24, dtype=np.float32).reshape(4, 6)
        write_trace(Trace(make_trace(keep="none").info, {Key("x", 0, "y"): whole.T[1:5:2]}), path)
        np.testing.assert_array_equal(read_trace(path).tensors[Key("x", 0, "y")], whole.T[1:5:2])

    @pytest.mark.parametrize("parameter", ["embed.weight", "up.weight", "conv.weight"])
    def test_gradients_are_equal_before_and_after_reading(self, written, parameter):
        fresh, read = make_trace().gradient(parameter), read_trace(written).gradient(parameter)
        np.testing.assert_array_equal(fresh.dense(), read.dense())
        assert fresh.norm() == read.norm()

    def test_writing_twice_gives_the_same_bytes(self, written):
        first = written.read_bytes()
        write_trace(make_trace(), written)
        assert written.read_bytes() == first

    def test_traces_are_opened_in_the_order_of_their_paths(self, tmp_path):
        paths = [tmp_path / f"{name}.parquet" for name in "bca"]
        for path in paths:
            write_trace(make_trace(path.stem), path)
        assert [trace.info.prompt for trace in read_traces(paths)] == ["b", "c", "a"]


class TestFormat:
    def test_columns_and_types(self, written):
        schema = pq.read_schema(written)
        assert schema.names == ["site", "layer", "quantity", "shape", "values"]
        assert schema.field("layer").type == pa.int16()
        assert schema.field("values").type.value_type == pa.float32()

    def test_a_float64_model_is_stored_in_float64(self, path):
        write_trace(make_trace(dtype=np.float64), path)
        assert pq.read_schema(path).field("values").type.value_type == pa.float64()

    def test_one_row_group_per_tensor(self, written):
        found = pq.read_metadata(written)
        assert found.num_row_groups == found.num_rows == len(make_trace().tensors)

    def test_values_are_compressed_and_split_by_byte_and_nothing_is_a_dictionary(self, written):
        found = pq.read_metadata(written)
        columns = [found.row_group(g).column(c) for g in range(found.num_row_groups) for c in range(found.num_columns)]
        values = [column for column in columns if column.path_in_schema.startswith("values")]
        assert {column.compression for column in columns} == {"ZSTD"}
        assert all("BYTE_STREAM_SPLIT" in column.encodings for column in values)
        assert not any("DICTIONARY" in encoding for column in columns for encoding in column.encodings)

    def test_any_reader_of_parquet_can_interpret_the_rows(self, written):
        rows = pq.read_table(written).to_pylist()
        row = next(r for r in rows if (r["site"], r["layer"], r["quantity"]) == ("residual", N_LAYERS, "gradient"))
        assert row["shape"] == [N_TOKENS, WIDTH]
        np.testing.assert_array_equal(row["values"], make_trace().residual_gradient(N_LAYERS).ravel())

    def test_the_footer_names_versions_and_schema(self, written):
        metadata = pq.read_metadata(written).metadata
        assert int(metadata[b"internal_physics:schema"]) == store.SCHEMA_VERSION
        assert {"numpy", "pyarrow"} <= set(json.loads(metadata[b"internal_physics:versions"]))
        assert json.loads(metadata[b"internal_physics:trace"])["labels"]["model"] == "m"


class TestLazyReading:
    @pytest.fixture
    def reads(self, monkeypatch):
        """The row groups read, in order."""
        found = []
        read = pq.ParquetFile.read_row_groups

        def counted(file, groups, *args, **kwargs):
            found.extend(groups)
            return read(file, groups, *args, **kwargs)

        monkeypatch.setattr(pq.ParquetFile, "read_row_groups", counted)
        return found

    def test_opening_reads_no_tensor(self, written, reads):
        trace = read_trace(written)
        assert trace.loss_nats == 1.5
        assert trace.parameters
        assert len(trace.tensors) == len(list(trace.tensors))
        assert Key("residual", 0, "activation") in trace.tensors
        assert Key("nothing", 0, "activation") not in trace.tensors
        assert reads == []

    def test_reading_a_tensor_reads_only_its_row_group(self, written, reads):
        trace = read_trace(written)
        keys = list(trace.tensors)
        trace.residual_gradient(1)
        assert reads == [keys.index(Key("residual", 1, "gradient"))]

    def test_reading_a_gradient_reads_only_its_two_factors(self, written, reads):
        trace = read_trace(written)
        keys = list(trace.tensors)
        trace.gradient("up.weight")
        wanted = {keys.index(Key("gate", 0, "input")), keys.index(Key("up", 0, "output_gradient"))}
        assert set(reads) == wanted
        assert len(reads) == 2

    def test_the_metrics_read_residual_gradients_only(self, written, reads):
        gradient_gram([read_trace(written)] * 3)
        keys = list(make_trace().tensors)
        assert {keys[group].quantity for group in reads} == {"gradient"}

    def test_reading_many_traces_does_not_keep_many_files_open(self, tmp_path, monkeypatch):
        monkeypatch.setattr(store, "OPEN_FILES", 5)
        monkeypatch.setattr(store, "_OPENED", store.deque())
        paths = [tmp_path / f"{i}.parquet" for i in range(12)]
        for i, path in enumerate(paths):
            write_trace(make_trace(seed=i), path)
        traces = list(read_traces(paths))
        for _ in range(2):
            for i, trace in enumerate(traces):
                np.testing.assert_array_equal(trace.residual(0), make_trace(seed=i).residual(0))
            assert sum(trace.tensors._file is not None for trace in traces) == 5
