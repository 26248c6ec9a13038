"""Records that cannot be read are named; records are written atomically."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_traces import N_LAYERS, make_trace
from internal_physics.ground.errors import StoreError
from internal_physics.records import store
from internal_physics.records.store import read_trace, write_trace
from internal_physics.records.trace import Key, Trace

SUPPORT, SCRIPTS = Path(__file__).parents[1] / "support", Path(__file__).parents[2] / "scripts"


def set_schema_version(path, version):
    table = pq.read_table(path)
    metadata = {**table.schema.metadata, b"internal_physics:schema": version}
    pq.write_table(table.replace_schema_metadata(metadata), path)


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

    def test_a_parquet_file_of_another_program(self, path):
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

    def test_damage_inside_the_file_is_reported_when_it_is_read(self, written):
        values = pq.read_metadata(written).row_group(0).column(4)
        with written.open("r+b") as file:
            file.seek(values.data_page_offset)
            file.write(bytes(values.total_compressed_size))
        with pytest.raises(StoreError, match="cannot be read") as error:
            read_trace(written).residual(0)
        assert error.value.where == str(written)

    def test_a_single_changed_bit_in_the_numbers_is_detected(self, written):
        values = pq.read_metadata(written).row_group(0).column(4)
        content = bytearray(written.read_bytes())
        content[values.data_page_offset + values.total_compressed_size - 4] ^= 1
        written.write_bytes(content)
        with pytest.raises(StoreError, match="cannot be read"):
            read_trace(written).residual(0)

    @pytest.mark.parametrize(("old", "new"), [(b'"loss_nats": 1.5', b'"loss_nats": 2.5'), (b"[3, 4]", b"[4, 3]")])
    def test_changed_metadata_is_detected(self, written, old, new):
        metadata = dict(pq.read_schema(written).metadata)
        changed = {key: value.replace(old, new) for key, value in metadata.items()}
        assert changed != metadata
        pq.write_table(pq.read_table(written).replace_schema_metadata(changed), written)
        assert self.refused(written).what == "its metadata has changed: its checksum is another"

    def test_an_older_record_without_checksums_can_be_read(self, written):
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

    def test_a_folder_that_cannot_be_written_is_named(self, path):
        path.parent.write_text("a file where a folder should be")
        with pytest.raises(StoreError, match="cannot be written") as error:
            write_trace(make_trace(), path)
        assert error.value.where == str(path)

    def test_remains_of_a_killed_job_are_removed_by_the_next_run(self, path):
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
        """The file is replaced in one step: a reader that has it open reads the old one to its end."""
        old = read_trace(written)
        old.residual(0)
        write_trace(make_trace(seed=1), written)
        np.testing.assert_array_equal(old.residual(1), make_trace(seed=0).residual(1))
        np.testing.assert_array_equal(read_trace(written).residual(1), make_trace(seed=1).residual(1))
