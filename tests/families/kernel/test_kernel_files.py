"""Kernels on disk: what is written is what is read, and damage is an error that names the file."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hand_traces import make_trace
from internal_physics.families.kernel import kernel_files
from internal_physics.families.kernel.kernel_files import KernelOf, read_kernels, write_kernels
from internal_physics.families.kernel.parts import MOST_SPLIT
from internal_physics.families.kernel.tangent_kernel import TOTAL, PromptName, TangentKernel, tangent_kernel
from internal_physics.ground.errors import StoreError


@pytest.fixture
def kernels():
    """An exact kernel by layer and kind, and one from sketches that has no parts."""
    exact = tangent_kernel([make_trace(f"p{i}", seed=i) for i in range(3)])
    matrix = np.array([[2.0, -1.0], [-1.0, 5.0]])
    names = (PromptName("s", "p"), PromptName("t", "p"))
    sketched = TangentKernel(names, {TOTAL: matrix}, "sketch", {TOTAL: np.full((2, 2), 0.25)})
    return [KernelOf("m", "baseline", exact), KernelOf("m", "baseline", sketched)]


def test_what_is_written_is_read(tmp_path, kernels):
    write_kernels(iter(kernels), tmp_path / "k.parquet")
    for found, expected in zip(read_kernels(tmp_path / "k.parquet"), kernels, strict=True):
        assert found[:2] == expected[:2]
        assert (found.kernel.prompts, found.kernel.source) == (expected.kernel.prompts, expected.kernel.source)
        assert list(found.kernel.cells) == list(expected.kernel.cells)
        for cell, matrix in expected.kernel.cells.items():
            assert np.array_equal(found.kernel.cells[cell], matrix)
        assert np.array_equal(found.kernel.standard_error(), expected.kernel.standard_error())


def test_a_kernel_of_many_prompts_is_written_in_parts_and_read_in_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_files, "_NUMBERS_AT_ONCE", 10_000)
    n = MOST_SPLIT + 1
    rows = np.random.default_rng(0).standard_normal((n, 9)).astype(np.float32)
    matrix = rows @ rows.T
    errors = np.abs(matrix) / 10
    np.fill_diagonal(errors, 0.0)
    errors[0] = errors[:, 0] = 0.0  # the first rows of a kernel may be exact
    names = tuple(PromptName("s", f"p{i}") for i in range(n))
    made = KernelOf("m", "baseline", TangentKernel(names, {TOTAL: matrix}, "sketch", {TOTAL: errors}))
    write_kernels([made], tmp_path / "k.parquet")
    assert pq.ParquetFile(tmp_path / "k.parquet").num_row_groups > 3
    (found,) = read_kernels(tmp_path / "k.parquet")
    assert found.kernel.prompts == names
    assert found.kernel.matrix().dtype == np.float32
    np.testing.assert_array_equal(found.kernel.matrix(), np.triu(matrix) + np.triu(matrix, 1).T)
    np.testing.assert_array_equal(found.kernel.standard_error(), np.triu(errors) + np.triu(errors, 1).T)


def test_the_rows_are_as_the_module_says(tmp_path, kernels):
    write_kernels(kernels, tmp_path / "k.parquet")
    rows = pd.read_parquet(tmp_path / "k.parquet")
    last = rows.iloc[-1]
    assert rows["source"].tolist() == ["factors"] * 9 + ["sketch"] * 2  # three groups of weights, three prompts
    assert last[["layer", "kind"]].isna().all()
    assert (last["prompt_set"], last["prompt"]) == ("t", "p")
    assert (rows["values"].iat[-2].tolist(), last["values"].tolist()) == ([2.0, -1.0], [5.0])
    assert not np.concatenate(rows["standard_errors"].iloc[:9].tolist()).any()


def test_a_file_without_kernels_is_read_as_none(tmp_path):
    write_kernels([], tmp_path / "k.parquet")
    assert read_kernels(tmp_path / "k.parquet") == []


def test_a_foreign_and_a_damaged_file_are_named(tmp_path):
    path = tmp_path / "k.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(StoreError, match=r"k\.parquet: cannot be read \(it has the columns"):
        read_kernels(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"k\.parquet"):
        read_kernels(path)
