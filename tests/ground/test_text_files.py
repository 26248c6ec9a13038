"""Text files: read completely, or refused in plain words whatever the error of the file system."""

import errno
import os
from pathlib import Path

import pytest
from internal_physics.ground.errors import ConfigError, PromptError
from internal_physics.ground.text_files import explain_os_error, read_text


def refused(path, **options):
    with pytest.raises(ConfigError) as error:
        read_text(path, **options)
    return error.value


@pytest.mark.parametrize("content", ["", "x", "ä 日本 🙂\r\n", "a\n\nb"])
def test_text_is_kept(tmp_path, content):
    (tmp_path / "t").write_bytes(content.encode())
    assert read_text(tmp_path / "t") == content
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert read_text(tmp_path / "t") == content


def test_a_missing_file(tmp_path):
    error = refused(tmp_path / "none", where="my place")
    assert (error.where, error.what) == ("my place", "there is no such file")
    assert error.todo == "check the path; it is relative to the working directory"


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "f").write_text("x")
    assert refused(tmp_path / "f" / "g").what == "there is no such file"


def test_a_folder(tmp_path):
    error = refused(tmp_path)
    assert (error.where, error.what) == (str(tmp_path), "it is a folder, not a file")


def test_a_symbolic_link_to_nothing(tmp_path):
    (tmp_path / "l").symlink_to(tmp_path / "nothing")
    assert refused(tmp_path / "l").what == "there is no such file"


def test_symbolic_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert refused(tmp_path / "a").what == "its symbolic links lead in a circle"


def test_a_name_too_long(tmp_path):
    assert refused(tmp_path / ("x" * 300)).what == "the name is too long"


def test_a_path_with_a_nul():
    assert "it is not a valid path" in refused("a\0b").what


def test_a_file_without_permission_to_read(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # the tests may run as root, which may read everything
    error = refused(tmp_path / "t")
    assert error.what == "no permission to read it"
    assert error.todo == "change its permissions, or those of the folders above it"


def test_another_error_is_passed_on():
    assert explain_os_error(OSError(errno.EIO, "Input/output error")) == "it cannot be read (Input/output error)"


def test_the_line_that_is_not_text_is_named(tmp_path):
    (tmp_path / "t").write_bytes(b"a\nb\n\xff\n")
    error = refused(tmp_path / "t")
    assert "not UTF-8 text" in error.what
    assert error.what.endswith("in line 3")
    assert error.todo == "save it as UTF-8"


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1"])
def test_other_kinds_of_files_are_named(tmp_path, start):
    (tmp_path / "t").write_bytes(start + b"rest")
    error = refused(tmp_path / "t")
    assert error.what.startswith("it is a")
    assert error.what.endswith(", not text")


def test_the_caller_chooses_the_kind_of_error(tmp_path):
    with pytest.raises(PromptError):
        read_text(tmp_path / "none", error=PromptError)
