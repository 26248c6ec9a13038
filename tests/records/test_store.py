"""The record on disk: exact to the bit, read piece by piece, whole or not there, and named where it is damaged."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_traces import N_LAYERS, N_TOKENS, WIDTH, make_trace
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from internal_physics.families.gradient_flow.isf import gradient_gram
from internal_physics.ground.errors import StoreError
from internal_physics.records import store
from internal_physics.records.store import read_trace, read_traces, write_trace
from internal_physics.records.trace import Key, Trace

KEEPS = ["factors", "norms", "none"]
SUPPORT, SCRIPTS = Path(__file__).parents[1] / "support", Path(__file__).parents[2] / "scripts"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record" / "p.parquet"


@pytest.fixture
def written(path):
    write_trace(make_trace(), path)
    return path


def set_schema_version(path, version):
    table = pq.read_table(path)
    metadata = {**table.schema.metadata, b"internal_physics:schema": version}
    pq.write_table(table.replace_schema_metadata(metadata), path)


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
    def test_all_that_is_known_comes_back(self, path, keep):
        trace = make_trace(keep=keep)
        write_trace(trace, path)
        assert read_trace(path).info == trace.info

    @pytest.mark.parametrize("size", [1, 1000])
    @pytest.mark.parametrize("keep", KEEPS)
    def test_writing_gives_the_sha256_of_the_file(self, path, keep, size):
        """Also of one that is larger than what is written at once (a thousand random rows are 4 MB)."""
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
    def test_any_numbers_of_any_shape(self, tmp_path_factory, array):
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
    def test_gradients_are_alike_fresh_and_read(self, written, parameter):
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

    def test_the_rows_say_what_they_are_to_any_reader_of_parquet(self, written):
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

    def test_a_tensor_costs_its_own_row_group(self, written, reads):
        trace = read_trace(written)
        keys = list(trace.tensors)
        trace.residual_gradient(1)
        assert reads == [keys.index(Key("residual", 1, "gradient"))]

    def test_a_gradient_costs_its_two_factors(self, written, reads):
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

    def test_many_traces_never_hold_many_files_open(self, tmp_path, monkeypatch):
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


class TestRefusals:
    def refused(self, path):
        with pytest.raises(StoreError) as error:
            read_trace(path)
        assert error.value.where == str(path)
        return error.value

    def test_a_missing_file(self, path):
        error = self.refused(path)
        assert error.what == "there is no such file"
        assert error.todo == "check the path"

    @pytest.mark.parametrize("n_bytes", [0, 3, 100, -1])
    def test_a_truncated_file(self, written, n_bytes):
        written.write_bytes(written.read_bytes()[:n_bytes])
        error = self.refused(written)
        assert error.what.startswith("this is not a complete Parquet file")
        assert error.todo == "if the file is damaged, delete it; the next run records it again"

    def test_a_file_of_another_kind(self, path):
        path.parent.mkdir()
        path.write_text("not Parquet at all, but long enough to have a footer")
        assert "not a complete Parquet file" in self.refused(path).what

    def test_a_folder(self, path):
        path.mkdir(parents=True)
        assert self.refused(path).what == "this is a folder"

    def test_somebody_elses_parquet(self, path):
        path.parent.mkdir()
        pq.write_table(pa.table({"x": [1]}), path)
        error = self.refused(path)
        assert error.what == "this Parquet file does not contain a trace"
        assert error.expected == "a record of the workflow, or a saved Trace"

    def test_another_schema_version(self, written):
        set_schema_version(written, "99")
        error = self.refused(written)
        assert error.what == "schema version 99"
        assert error.expected == f"version {store.SCHEMA_VERSION}"
        assert error.todo == "delete it and run again"

    def test_damage_inside_the_file_is_named_when_it_is_read(self, written):
        values = pq.read_metadata(written).row_group(0).column(4)
        with written.open("r+b") as file:
            file.seek(values.data_page_offset)
            file.write(bytes(values.total_compressed_size))
        with pytest.raises(StoreError, match="cannot be read") as error:
            read_trace(written).residual(0)
        assert error.value.where == str(written)

    def test_a_single_bit_that_changed_in_the_numbers_is_seen(self, written):
        values = pq.read_metadata(written).row_group(0).column(4)
        content = bytearray(written.read_bytes())
        content[values.data_page_offset + values.total_compressed_size - 4] ^= 1
        written.write_bytes(content)
        with pytest.raises(StoreError, match="cannot be read"):
            read_trace(written).residual(0)

    @pytest.mark.parametrize(("old", "new"), [(b'"loss_nats": 1.5', b'"loss_nats": 2.5'), (b"[3, 4]", b"[4, 3]")])
    def test_metadata_that_changed_is_seen(self, written, old, new):
        metadata = dict(pq.read_schema(written).metadata)
        changed = {key: value.replace(old, new) for key, value in metadata.items()}
        assert changed != metadata
        pq.write_table(pq.read_table(written).replace_schema_metadata(changed), written)
        assert self.refused(written).what == "its metadata has changed: its checksum is another"

    def test_a_record_from_before_there_was_a_checksum_is_read(self, written):
        metadata = dict(pq.read_schema(written).metadata)
        del metadata[b"internal_physics:sha256"]
        table = pq.read_table(written).replace_schema_metadata(metadata)
        pq.write_table(table, written, row_group_size=1)
        np.testing.assert_array_equal(read_trace(written).residual(1), make_trace().residual(1))

    def test_a_tensor_that_was_not_kept(self, path):
        write_trace(make_trace(keep="norms"), path)
        with pytest.raises(StoreError) as error:
            read_trace(path).tensor("up", 0, "output_gradient")
        assert error.value.what == "no tensor 'output_gradient' of 'up' at layer 0"
        assert "record.weight_gradients" in error.value.expected

    def test_factors_of_a_record_that_keeps_norms(self, path):
        write_trace(make_trace(keep="norms"), path)
        with pytest.raises(StoreError, match="keeps weight_gradients: norms, not factors"):
            read_trace(path).gradient("up.weight")


class TestWholeOrNotThere:
    def test_a_failed_write_leaves_nothing(self, path):
        class Breaks(dict):
            def __getitem__(self, key):
                if key.layer == N_LAYERS and key.quantity == "gradient":
                    raise RuntimeError("in the middle")
                return super().__getitem__(key)

        tensors = make_trace().tensors
        broken = Breaks({key: np.zeros((200, 300), np.float32) for key in tensors})
        with pytest.raises(RuntimeError, match="in the middle"):
            write_trace(Trace(make_trace().info, broken), path)
        assert list(path.parent.glob("*")) == []

    def test_a_failed_write_keeps_the_file_that_was_there(self, written, monkeypatch):
        before = written.read_bytes()
        monkeypatch.setattr(store, "_row", lambda *_: pytest.fail("stop"))
        with pytest.raises(pytest.fail.Exception):
            write_trace(make_trace(seed=1), written)
        assert written.read_bytes() == before
        assert [p.name for p in written.parent.iterdir()] == [written.name]

    def test_a_full_disk_is_named_and_leaves_nothing(self, path):
        rng = np.random.default_rng(0)
        trace = Trace(make_trace().info, {Key("x", 0, "y"): rng.standard_normal((500, 500)).astype(np.float32)})
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            with pytest.raises(StoreError, match="cannot be written") as error:
                write_trace(trace, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        assert error.value.where == str(path)
        assert "free some space" in error.value.todo
        assert list(path.parent.glob("*")) == []

    def test_a_place_that_cannot_be_written_is_named(self, path):
        path.parent.write_text("a file where a folder should be")
        with pytest.raises(StoreError, match="cannot be written") as error:
            write_trace(make_trace(), path)
        assert error.value.where == str(path)

    def test_what_a_killed_job_leaves_is_gone_after_the_next_run(self, path):
        code = (
            "import time, numpy as np\n"
            "from hand_traces import make_trace\n"
            "from internal_physics.records import store\n"
            "real = store._row\n"
            "store._row = lambda *a: (real(*a), print('writing', flush=True), time.sleep(60))[0]\n"
            f"store.write_trace(make_trace(), {str(path)!r})\n"
        )
        environment = {"PYTHONPATH": f"{SCRIPTS}:{SUPPORT}", "PATH": ""}
        job = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        job.stdout.readline()
        job.kill()
        job.wait()
        job.stdout.close()
        assert not path.exists()
        left = [p.name for p in path.parent.iterdir()]
        assert all(name.startswith(".") for name in left)
        write_trace(make_trace(), path)
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    def test_a_reader_never_sees_a_half_written_file(self, written):
        """The file under its name is replaced in one step: who has it open reads the old one to its end."""
        old = read_trace(written)
        old.residual(0)
        write_trace(make_trace(seed=1), written)
        np.testing.assert_array_equal(old.residual(1), make_trace(seed=0).residual(1))
        np.testing.assert_array_equal(read_trace(written).residual(1), make_trace(seed=1).residual(1))
