"""Steering: an intervention that later layers feel, in the record and in the gradients."""

import csv

import numpy as np
import pytest
import torch
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ConfigError
from internal_physics.models.anatomy import hidden_state
from internal_physics.models.loading import wrap_model
from internal_physics.models.readout import readout
from internal_physics.recording.derive_direction import derive_direction, principal_component, write_directions
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.store import read_trace, write_trace
from internal_physics.steering.directions import build_steering
from internal_physics.steering.intervention import Edit, Steering, fit_width, stretch
from safetensors.torch import save_file
from tiny_models import ARCHITECTURES, build_model, build_tokenizer, task_of

WIDTH = 32
TEXTS = {
    "causal": ("hello world", "a cat sat here", "one"),
    "masked": ("hello [MASK] world", "a [MASK]", "one [MASK] two"),
}
V = np.random.default_rng(0).standard_normal(WIDTH)
SOME = ("llama", "gpt2", "bloom", "bert")  # tensor and tuple outputs, Conv1D, masked


def load(name, dtype=torch.float64):
    task = task_of(name)
    tokenizer = build_tokenizer(masked=task == "masked")
    return check_model(wrap_model(build_model(name, dtype), tokenizer, task)).model


def record(model, steering=None, texts=None, **options):
    texts = texts or TEXTS[model.task]
    encoded = [encode(Prompt(f"p{i}", t), model.tokenizer, model.task, None) for i, t in enumerate(texts)]
    traces = record_batches(model, encoded, RecordOptions(**options), steering)
    return [t for _, t in sorted((t.info.prompt, t) for t in traces)]


def added(layer, vector, **options):
    return Steering({layer: (Edit(np.asarray(vector)),)}, **options)


# ---- what it does to the stream -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_zero_vector_changes_nothing_to_the_bit(name):
    model = load(name, torch.float32)
    layers = range(model.anatomy.n_layers + 1)
    zero = Steering({layer: (Edit(np.zeros(WIDTH)),) for layer in layers})
    for plain, steered in zip(record(model), record(model, zero), strict=True):
        assert plain.loss_nats == steered.loss_nats
        assert set(plain.tensors) == set(steered.tensors)
        assert all(np.array_equal(plain.tensors[key], steered.tensors[key]) for key in plain.tensors)


@pytest.mark.parametrize("name", SOME)
def test_a_vector_and_its_opposite_at_one_place_give_the_baseline(name):
    model = load(name)
    both = Steering({1: (Edit(V), Edit(-V))})
    for plain, steered in zip(record(model), record(model, both), strict=True):
        np.testing.assert_allclose(steered.residuals(), plain.residuals(), atol=1e-12)
        np.testing.assert_allclose(steered.residual_gradients(), plain.residual_gradients(), atol=1e-12)


@pytest.mark.parametrize("layer", [0, 1, 3])
@pytest.mark.parametrize("name", SOME)
def test_layers_before_it_stay_and_those_after_it_move(name, layer):
    model = load(name)
    for plain, steered in zip(record(model), record(model, added(layer, V)), strict=True):
        for before in range(layer):
            assert np.array_equal(steered.residual(before), plain.residual(before))
        np.testing.assert_allclose(steered.residual(layer) - plain.residual(layer), np.tile(V, (plain.n_tokens, 1)))
        for after in range(layer + 1, plain.n_layers + 1):
            assert np.abs(steered.residual(after) - plain.residual(after)).max() > 1e-3
        assert steered.loss_nats != plain.loss_nats


@pytest.mark.parametrize("name", SOME)
def test_record_and_gradients_are_those_of_an_independent_hook(name):
    """The oracle adds v to the output of block 0 by a plain hook, and asks autograd for the gradient there."""
    model = load(name)
    text = TEXTS[model.task][0]
    (trace,) = record(model, added(1, V), [text])
    caught = []

    def hook(_module, _args, output):
        steered = (hidden_state(output) + torch.from_numpy(V)).detach().requires_grad_()
        caught.append(steered)
        return (steered, *output[1:]) if isinstance(output, tuple) else steered

    handle = model.anatomy.blocks(model.module)[0].register_forward_hook(hook)
    ids = torch.tensor([trace.info.token_ids])
    log_p = model.module(ids).logits[0].log_softmax(-1)
    handle.remove()
    if model.task == "causal":
        loss = -log_p[torch.arange(ids.shape[1] - 1), ids[0, 1:]].mean()
    else:
        loss = -log_p[trace.info.read_position].max()
    (gradient,) = torch.autograd.grad(loss, caught[0])
    assert trace.loss_nats == pytest.approx(float(loss.detach()), rel=1e-9)
    np.testing.assert_allclose(trace.residual(1), caught[0].detach()[0].numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(trace.residual_gradient(1), gradient[0].numpy(), rtol=1e-7, atol=1e-12)


def test_batched_is_alone_and_padding_is_left_alone():
    model = load("llama")
    steering = added(1, V, token_weights=(0.0, 2.0))
    for text, trace in zip(TEXTS["causal"], record(model, steering), strict=True):
        (alone,) = record(model, steering, [text])
        np.testing.assert_allclose(trace.residuals(), alone.residuals(), atol=1e-12)
        np.testing.assert_allclose(trace.residual_gradients(), alone.residual_gradients(), atol=1e-12)


def test_weight_gradients_are_those_of_the_steered_pass():
    model = load("gpt2")
    (trace,) = record(model, added(1, V), ["hello world"])
    (norms,) = record(model, added(1, V), ["hello world"], weight_gradients="norms")
    (plain,) = record(model, None, ["hello world"])
    name = "transformer.h.2.mlp.c_fc.weight"
    assert trace.gradient(name).norm() == pytest.approx(norms.gradient_norm(name), rel=1e-9)
    assert trace.gradient(name).norm() != pytest.approx(plain.gradient(name).norm(), rel=1e-3)


def test_a_clamp_holds_the_component_and_leaves_the_rest():
    model, bias = load("llama"), np.full(WIDTH, 0.1)
    u = V / np.linalg.norm(V)
    steering = Steering({1: (Edit(V, "clamp", value=3.0, bias=bias),)})
    for plain, steered in zip(record(model), record(model, steering), strict=True):
        np.testing.assert_allclose((steered.residual(1) - bias) @ u, 3.0)
        change = steered.residual(1) - plain.residual(1)
        np.testing.assert_allclose(change - np.outer(change @ u, u), 0, atol=1e-12)


# ---- weights ------------------------------------------------------------------------------------------------------


def test_layer_and_token_weights_act_as_specified():
    model = load("llama")
    options = {"vector": list(V), "scale": 0.5, "layers": {0: 2.0, 2: -1.0}, "tokens": [0.0, 1.0]}
    steering = build_steering(options, model.anatomy)
    (plain,), (steered,) = record(model, None, ["hello"]), record(model, steering, ["hello"])
    weights = np.linspace(0, 1, plain.n_tokens)
    np.testing.assert_allclose(steered.residual(0) - plain.residual(0), 0.5 * 2.0 * np.outer(weights, V), atol=1e-12)
    only_first = build_steering(options | {"layers": {0: 2.0}}, model.anatomy)
    (first,) = record(model, only_first, ["hello"])
    assert np.array_equal(first.residual(1), steered.residual(1))
    np.testing.assert_allclose(steered.residual(2) - first.residual(2), -0.5 * np.outer(weights, V), atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "n_tokens", "expected"),
    [
        ((2.0,), 3, [2, 2, 2]),
        ((0.0, 1.0), 5, [0, 0.25, 0.5, 0.75, 1]),
        ((1.0, 0.0, 1.0), 5, [1, 0.5, 0, 0.5, 1]),
        ((0.0, 1.0, 2.0, 3.0), 2, [0, 3]),
        ((5.0, 7.0), 1, [5]),
    ],
)
def test_token_weights_are_stretched_linearly(weights, n_tokens, expected):
    np.testing.assert_allclose(stretch(weights, n_tokens), expected)


def test_short_vectors_are_repeated_and_cut_at_the_width():
    np.testing.assert_array_equal(fit_width([1, 2, 3], 7), [1, 2, 3, 1, 2, 3, 1])


def test_without_layers_every_block_is_steered():
    anatomy = load("llama").anatomy
    assert list(build_steering({"vector": [1.0]}, anatomy).edits) == [0, 1, 2]


def test_the_record_says_what_was_done(tmp_path):
    model = load("llama")
    file = tmp_path / "v.safetensors"
    save_file({"v": torch.from_numpy(V)}, str(file))
    steering = build_steering({"file": str(file), "scale": 2.0, "layers": [1]}, model.anatomy, file=file)
    model.labels = {"condition": "push", "steering": steering.description}
    (trace,) = record(model, steering, ["hello"])
    write_trace(trace, tmp_path / "t.parquet")
    said = read_trace(tmp_path / "t.parquet").info.labels
    assert said["condition"] == "push"
    assert said["steering"] | {"sha256": ""} == {"file": str(file), "scale": 2.0, "layers": {"1": 1.0}, "sha256": ""}
    assert len(said["steering"]["sha256"]) == 64


# ---- files --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anatomy():
    return load("llama").anatomy


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


def test_what_does_not_fit_the_model_is_refused(anatomy, tmp_path):
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
def test_a_feature_that_is_no_row_is_refused(anatomy, tmp_path, feature):
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


# ---- directions from texts ----------------------------------------------------------------------------------------


def test_mean_difference_is_that_of_the_last_tokens():
    model = load("llama")
    contrast = {"positive": ["good day", "well"], "negative": ["bad day"], "method": "mean_difference"}
    found = derive_direction(model, contrast)
    states = {text: record(model, None, [text])[0].residuals()[:, -1] for text in ("good day", "well", "bad day")}
    np.testing.assert_allclose(found, (states["good day"] + states["well"]) / 2 - states["bad day"], atol=1e-12)
    assert found.shape == (4, WIDTH)


def test_the_principal_component_points_to_the_positive_texts():
    rng = np.random.default_rng(0)
    direction = np.eye(5)[2]
    differences = rng.uniform(1, 2, (30, 2, 1)) * direction * [[[1.0], [-1.0]]] + 0.01 * rng.standard_normal((30, 2, 5))
    found = principal_component(differences)
    assert found[0] @ direction == pytest.approx(differences[:, 0].mean(axis=0) @ direction, rel=1e-3)
    assert found[1] @ direction < -1  # towards the positive texts, whatever sign the decomposition gives
    assert np.array_equal(principal_component(np.zeros((3, 1, 5))), np.zeros((1, 5)))


def test_a_masked_model_is_read_at_the_mask_or_at_the_last_token():
    model = load("bert")
    found = derive_direction(model, {"positive": ["a [MASK] b"], "negative": ["a b"]})
    (masked,) = record(model, None, ["a [MASK] b"])
    assert found.shape == (4, WIDTH)
    position = masked.info.read_position
    other = derive_direction(model, {"positive": ["x"], "negative": ["a b"]})
    back = derive_direction(model, {"positive": ["a [MASK] b"], "negative": ["x"]})
    np.testing.assert_allclose(found, other + back, atol=1e-12)
    assert position == 3


def test_equal_texts_are_refused():
    with pytest.raises(ConfigError, match="have the same states in the model"):
        derive_direction(load("llama"), {"positive": ["same"], "negative": ["same"]})


def test_directions_are_written_and_read_again_with_equal_bytes(anatomy, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((4, WIDTH)).astype(np.float32)
    labels = {"model": "m", "condition": "c", "method": "mean_difference"}
    for name in ("a.safetensors", "b.safetensors"):
        write_directions(vectors, tmp_path / name, labels)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    contrast = {"contrast": {"positive": ["a"], "negative": ["b"]}, "layers": [0, 3]}
    edits = build_steering(contrast, anatomy, file=tmp_path / "a.safetensors").edits
    np.testing.assert_array_equal(edits[3][0].vector, vectors[3])


# ---- the real model -----------------------------------------------------------------------------------------------

HAPPY = {
    "positive": ["I feel happy", "What a wonderful, joyful day", "She laughed with delight", "He smiled, full of joy"],
    "negative": ["I feel sad", "What a terrible, gloomy day", "She cried with grief", "He wept, full of sorrow"],
}
OPENINGS = ("I woke up this morning and I feel so", "My day was", "The weather today makes me feel")


@pytest.fixture(scope="module")
def smollm2_model(smollm2):
    from internal_physics.api.loading import load as load_real

    return load_real(str(smollm2), attention="sdpa", device="cpu")


@pytest.mark.parametrize("method", ["mean_difference", "principal_component"])
def test_happy_against_sad_moves_fitting_tokens_the_right_way(smollm2_model, method):
    model = smollm2_model
    direction = derive_direction(model, HAPPY | {"method": method})
    options = {"contrast": HAPPY, "layers": [10]}
    words = {
        word: model.tokenizer(word)["input_ids"][0] for word in (" happy", " great", " excited", " sad", " lonely")
    }

    def log_probabilities(scale):
        steering = build_steering(options | {"scale": scale}, model.anatomy, derived=direction)
        traces = record(model, steering, list(OPENINGS), weight_gradients="none", attention_entropy=False)
        last = torch.from_numpy(np.stack([t.residual(30)[-1] for t in traces]))[:, None]
        with torch.no_grad():
            found = readout(model.module, model.anatomy, last, in_tuple=False)[:, 0].log_softmax(-1)
        return {word: float(found[:, token].mean()) for word, token in words.items()}

    baseline, happy, sad = (log_probabilities(scale) for scale in (0, 1, -1))
    for word in (" happy", " great", " excited"):
        assert happy[word] > baseline[word] + 0.5
        assert happy[word] > sad[word] + 0.5
    for word in (" sad", " lonely"):
        assert happy[word] < baseline[word] - 0.5
        assert happy[word] < sad[word] - 0.5
