"""Directions derived from contrasting texts, and their effect on SmolLM2."""

import numpy as np
import pytest
import torch
from internal_physics.ground.errors import ConfigError
from internal_physics.models.readout import readout
from internal_physics.recording.derive_direction import derive_direction, principal_component, write_directions
from internal_physics.steering.directions import build_steering
from steered import WIDTH, load, record


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
def test_happy_against_sad_moves_matching_tokens_in_the_right_direction(smollm2_model, method):
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
            found = readout(model.module, model.anatomy, last, n_members=0)[:, 0].log_softmax(-1)
        return {word: float(found[:, token].mean()) for word, token in words.items()}

    baseline, happy, sad = (log_probabilities(scale) for scale in (0, 1, -1))
    for word in (" happy", " great", " excited"):
        assert happy[word] > baseline[word] + 0.5
        assert happy[word] > sad[word] + 0.5
    for word in (" sad", " lonely"):
        assert happy[word] < baseline[word] - 0.5
        assert happy[word] < sad[word] - 0.5
