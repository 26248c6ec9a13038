"""Directions from files, vectors and features: the result of each form, and invalid ones."""

import csv

import numpy as np
import pytest
import torch
from internal_physics.ground.errors import ConfigError
from internal_physics.steering.directions import build_steering
from safetensors.torch import save_file
from steered import WIDTH, V


def from_file(anatomy, path, **options):
    return build_steering({"file": str(path), **options}, anatomy, file=path, where="conditions → c")


def test_every_file_form_gives_its_vectors(anatomy, tmp_path):
    v = torch.from_numpy(V)
    save_file({"anything": v}, str(tmp_path / "one.safetensors"))
    save_file({"residual.1": v, "residual.3": 2 * v}, str(tmp_path / "layers.safetensors"))
    torch.save(v, tmp_path / "one.pt")
    entry = {"steering_vector": v, "steering_coefficient": 3.0, "action": "add", "bias": None}
    torch.save([{"hookpoint": "layers.0", **entry}], tmp_path / "list.pt")
    torch.save({"model.layers.2": entry}, tmp_path / "mapping.pth")
    for name in ("one.safetensors", "one.pt"):
        edits = from_file(anatomy, tmp_path / name, layers=[2], scale=0.5).edits
        np.testing.assert_array_equal(edits[2][0].vector, 0.5 * V)
    per_layer = from_file(anatomy, tmp_path / "layers.safetensors").edits
    np.testing.assert_array_equal(per_layer[3][0].vector, 2 * V)
    assert list(per_layer) == [1, 3]
    for name, layer in (("list.pt", 1), ("mapping.pth", 3)):  # what leaves block l is residual[l + 1]
        edits = from_file(anatomy, tmp_path / name).edits
        assert list(edits) == [layer]
        np.testing.assert_array_equal(edits[layer][0].vector, 3.0 * V)


def write_csv(tmp_path, rows):
    coder = tmp_path / "coder" / "layers.1"
    coder.mkdir(parents=True, exist_ok=True)
    decoder = torch.arange(3.0)[:, None] * torch.ones(WIDTH, dtype=torch.float64)
    save_file(
        {"W_dec": decoder, "b_dec": torch.ones(WIDTH), "encoder.bias": torch.ones(3)}, str(coder / "sae.safetensors")
    )
    columns = [
        "loader",
        "action",
        "sparse_model",
        "hookpoint",
        "feature_index",
        "steering_coefficient",
        "sae_id",
        "description",
    ]
    path = tmp_path / "steer.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_csv_takes_features_of_local_sparse_coders(anatomy, tmp_path):
    row = {"loader": "sparsify", "sparse_model": tmp_path / "coder", "hookpoint": "layers.1", "feature_index": 2}
    path = write_csv(tmp_path, [row | {"action": "clamp", "steering_coefficient": 10.0}])
    (edit,) = from_file(anatomy, path, scale=0.5).edits[2]
    assert (edit.action, edit.value) == ("clamp", 5.0)
    np.testing.assert_array_equal(edit.vector, np.full(WIDTH, 2.0))
    np.testing.assert_array_equal(edit.bias, np.ones(WIDTH))


def refused(anatomy, **options):
    file = options.get("file")
    with pytest.raises(ConfigError) as error:
        build_steering(options, anatomy, file=file, where="conditions → c")
    assert error.value.where.startswith("conditions → c")
    assert error.value.expected
    return f"{error.value.where}: {error.value.what}"


def test_a_direction_that_does_not_fit_the_model_is_refused(anatomy, tmp_path):
    assert refused(anatomy, vector=[1.0] * 33) == "conditions → c → vector: 33 numbers"
    assert refused(anatomy, vector=[1.0], layers=[4]) == "conditions → c → layers: there is no layer 4"
    torch.save(torch.ones(31), tmp_path / "narrow.pt")
    assert "a vector of 31 numbers" in refused(anatomy, file=tmp_path / "narrow.pt")
    torch.save(torch.ones(2, 32), tmp_path / "matrix.pt")
    assert "found shape (2, 32)" in refused(anatomy, file=tmp_path / "matrix.pt")
    save_file({"residual.1": torch.ones(WIDTH)}, str(tmp_path / "l.safetensors"))
    assert "no vector for layer 2" in refused(anatomy, file=tmp_path / "l.safetensors", layers=[2])
    save_file({"a": torch.ones(WIDTH), "b": torch.ones(WIDTH)}, str(tmp_path / "two.safetensors"))
    assert "it holds 2 tensors" in refused(anatomy, file=tmp_path / "two.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    assert "cannot be read" in refused(anatomy, file=tmp_path / "text.safetensors")
    torch.save(torch.full((WIDTH,), torch.nan), tmp_path / "nan.pt")
    assert "not finite" in refused(anatomy, file=tmp_path / "nan.pt")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(WIDTH, dtype=torch.complex64),
        torch.ones(WIDTH).to_sparse(),
        torch.empty(WIDTH, device="meta"),
    ],
    ids=["complex", "sparse", "meta"],
)
def test_a_tensor_without_real_numbers_is_refused(anatomy, tmp_path, tensor):
    torch.save(tensor, tmp_path / "v.pt")
    assert "found a tensor of torch." in refused(anatomy, file=tmp_path / "v.pt")


def test_a_damaged_file_is_named(anatomy, tmp_path):
    (tmp_path / "empty.pt").write_bytes(b"")
    assert "empty.pt: it cannot be loaded with weights_only: EOFError" in refused(anatomy, file=tmp_path / "empty.pt")
    save_file({"residual.4": torch.ones(WIDTH)}, str(tmp_path / "deep.safetensors"))
    assert "deep.safetensors → layers: there is no layer 4" in refused(anatomy, file=tmp_path / "deep.safetensors")
    entry = {"hookpoint": "layers.1", "steering_vector": torch.ones(WIDTH), "steering_coefficient": 1.0}
    torch.save([entry | {"bias": torch.full((WIDTH,), torch.inf)}], tmp_path / "bias.pt")
    assert "not finite" in refused(anatomy, file=tmp_path / "bias.pt")


@pytest.mark.parametrize("feature", ["1.5", "-1", "nan", "1e0", "inf"])
def test_a_feature_without_a_row_is_refused(anatomy, tmp_path, feature):
    row = {"hookpoint": "layers.1", "feature_index": feature, "steering_coefficient": 1}
    path = write_csv(tmp_path, [row | {"sparse_model": tmp_path / "coder"}])
    assert f"no feature {feature}" in refused(anatomy, file=path)


def test_wrong_hookpoints_are_refused(anatomy, tmp_path):
    entry = {"steering_vector": torch.ones(WIDTH), "steering_coefficient": 1.0}
    for hookpoint in ("layers.3", "layers.0.mlp", "h.0", "blocks.1.hook_resid_post"):
        torch.save([{"hookpoint": hookpoint, **entry}], tmp_path / "h.pt")
        assert f"the hookpoint {hookpoint!r} is not a block" in refused(anatomy, file=tmp_path / "h.pt")
    torch.save([{"hookpoint": "layers.1", "steering_vector": torch.ones(WIDTH)}], tmp_path / "h.pt")
    assert "an entry without steering_coefficient" in refused(anatomy, file=tmp_path / "h.pt")
    torch.save([{"hookpoint": "layers.1", **entry, "action": "ablate"}], tmp_path / "h.pt")
    assert "the action 'ablate'" in refused(anatomy, file=tmp_path / "h.pt")
    path = write_csv(
        tmp_path,
        [{"sparse_model": "org/on-a-hub", "hookpoint": "layers.1", "feature_index": 0, "steering_coefficient": 1}],
    )
    assert "there is no local sparse coder" in refused(anatomy, file=path)
    path = write_csv(
        tmp_path,
        [{"sparse_model": tmp_path / "coder", "hookpoint": "layers.1", "feature_index": 3, "steering_coefficient": 1}],
    )
    assert "no feature 3" in refused(anatomy, file=path)


class Rogue:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_pickle_that_would_run_code_is_refused(anatomy, tmp_path, capsys):
    torch.save(Rogue(), tmp_path / "rogue.pt")
    assert "cannot be loaded with weights_only" in refused(anatomy, file=tmp_path / "rogue.pt")
    assert "code ran" not in capsys.readouterr().out
