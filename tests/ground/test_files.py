"""Files written atomically: complete or absent, never shared by two writers, and no remains."""

import errno
import multiprocessing
import os
import socket
import subprocess
import sys
import time

import pytest
from internal_physics.ground import files
from internal_physics.ground.errors import StoreError
from internal_physics.ground.files import ABANDONED_AFTER_S, whole_file, whole_folder, write_text

HOST = socket.gethostname()


@pytest.fixture(autouse=True)
def _as_a_new_process():
    files._remove_abandoned.cache_clear()


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class TestFile:
    def test_the_file_appears_only_when_it_is_complete(self, tmp_path):
        path = tmp_path / "new" / "table.csv"
        with whole_file(path) as temporary:
            temporary.write_text("half")
            assert not path.exists()
        assert path.read_text() == "half"
        assert names(path.parent) == ["table.csv"]

    def test_a_failure_keeps_the_earlier_file(self, tmp_path):
        path = tmp_path / "x"
        write_text(path, "old é")
        with pytest.raises(ZeroDivisionError), whole_file(path) as temporary:
            temporary.write_text(f"new {1 / 0}")
        assert path.read_text(encoding="utf-8") == "old é"
        assert names(tmp_path) == ["x"]

    def test_a_full_disk_is_named_with_the_file(self, tmp_path):
        with pytest.raises(StoreError, match="No space left on device") as error, whole_file(tmp_path / "x"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert error.value.where == str(tmp_path / "x")
        assert "free some space" in error.value.todo
        assert names(tmp_path) == []

    def test_two_copies_of_a_job_do_not_write_into_the_same_file(self, tmp_path):
        """Two processes slowly write different letters; at every moment the file is entirely from one of them."""
        path, size = tmp_path / "x", 1000
        context = multiprocessing.get_context("fork")
        copies = [context.Process(target=write_slowly, args=(path, letter, size)) for letter in "ab"]
        for copy in copies:
            copy.start()
        seen = set()
        while any(copy.is_alive() for copy in copies) or not seen:
            if path.exists():
                seen.add(path.read_text())
        assert [copy.exitcode for copy in copies] == [0, 0]
        assert seen <= {"a" * size, "b" * size}
        assert names(tmp_path) == ["x"]


def write_slowly(path, letter, size):
    for _ in range(10):
        with whole_file(path) as temporary, temporary.open("w") as file:
            for _ in range(10):
                file.write(letter * (size // 10))
                file.flush()
                time.sleep(0.001)


class TestFolder:
    def test_an_earlier_file_is_replaced(self, tmp_path):
        path = tmp_path / "folder"
        path.mkdir()
        (path / "half").touch()
        with whole_folder(path) as temporary:
            (temporary / "sub").mkdir()
            (temporary / "sub" / "file").touch()
            assert names(path) == ["half"]
        assert names(path) == ["sub"]
        assert names(tmp_path) == ["folder"]

    def test_a_failure_leaves_nothing_behind(self, tmp_path):
        with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "folder") as temporary:
            (temporary / "file").write_text(f"{1 / 0}")
        assert names(tmp_path) == []


class TestAbandoned:
    def test_remains_of_a_killed_process_are_removed(self, tmp_path, ended):
        (tmp_path / f".x@{HOST}@{ended}.tmp").touch()
        (tmp_path / f".folder@{HOST}@{ended}.tmp").mkdir()
        (tmp_path / f".folder@{HOST}@{ended}.tmp" / "file").touch()
        write_text(tmp_path / "y", "")
        assert names(tmp_path) == ["y"]

    def test_files_of_a_running_process_are_not_touched(self, tmp_path):
        other = f".x@{HOST}@{os.getppid()}.tmp"
        (tmp_path / other).touch()
        write_text(tmp_path / "y", "")
        assert names(tmp_path) == [other, "y"]

    def test_files_of_another_host_are_removed_only_if_they_are_old(self, tmp_path, ended):
        old, new = (tmp_path / f".{name}@other-host@{ended}.tmp" for name in ("old", "new"))
        old.touch()
        new.touch()
        long_ago = time.time() - ABANDONED_AFTER_S - 60
        os.utime(old, (long_ago, long_ago))
        write_text(tmp_path / "y", "")
        assert names(tmp_path) == [new.name, "y"]

    def test_other_files_are_not_touched(self, tmp_path):
        theirs = [".x.tmp", ".x@y@z.tmp", "x@host@1.tmp", ".tmp"]
        for name in theirs:
            (tmp_path / name).touch()
        write_text(tmp_path / "y", "")
        assert names(tmp_path) == sorted([*theirs, "y"])
