"""Listings of records: in order, as sha256sum writes them, changed exactly when a record is."""

import hashlib
from pathlib import Path

import pytest
from internal_physics.ground.errors import StoreError
from internal_physics.records.listing import listed, write_listing


def digest_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def with_digests(paths):
    return [(path, digest_of(path)) for path in paths]


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [f"set/p {name}.parquet" for name in ("b", "a", "c")]
    (tmp_path / "set").mkdir()
    for path in paths:
        (tmp_path / path).write_bytes(path.encode())
    return paths


def test_paths_come_back_in_order_over_several_listings(records):
    write_listing(with_digests(records[:2]), "one.sha256")
    write_listing(with_digests(records[2:]), "two.sha256")
    assert listed("one.sha256", "two.sha256") == records


def test_it_has_the_format_of_sha256sum(records, tmp_path):
    write_listing(with_digests(records), "all.sha256")
    expected = [f"{hashlib.sha256(path.encode()).hexdigest()}  {path}" for path in records]
    assert (tmp_path / "all.sha256").read_text().splitlines() == expected


def test_it_changes_when_a_record_does_and_only_then(records, tmp_path):
    contents = []
    for change in (b"", b"", b"x"):
        with (tmp_path / records[0]).open("ab") as file:
            file.write(change)
        write_listing(with_digests(records), "all.sha256")
        contents.append((tmp_path / "all.sha256").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_a_missing_listing_and_a_foreign_one_are_named(tmp_path):
    with pytest.raises(StoreError, match=r"gone\.sha256"):
        listed(tmp_path / "gone.sha256")
    (tmp_path / "foreign").write_text("model,prompt\n")
    with pytest.raises(StoreError, match="foreign"):
        listed(tmp_path / "foreign")


@pytest.mark.parametrize(
    "line", [f"{'g' * 64}  a", f"{'0' * 64}  ", f"{'0' * 64} a", f"{'0' * 63}\0  a", f"{'0' * 66}  a"]
)
def test_a_damaged_line_is_refused(tmp_path, line):
    (tmp_path / "all.sha256").write_text(f"{'0' * 64}  a\n{line}\n")
    with pytest.raises(StoreError, match=r"all\.sha256: this is not a listing"):
        listed(tmp_path / "all.sha256")


def test_a_listing_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "all.sha256").write_bytes(b"0" * 64 + b"  \xe0\n")
    with pytest.raises(StoreError, match=r"all\.sha256: cannot be read"):
        listed(tmp_path / "all.sha256")
