"""Probes: what they can tell, what they cannot, and what their weights depend on."""

import numpy as np
import pytest
import torch
from internal_physics.lab.probes.linear import PENALTY, fit_linear_probe
from internal_physics.lab.probes.multi_head import MultiHeadProbe, fit_multi_head_probe

RNG = np.random.default_rng(0)


def test_a_linear_probe_tells_classes_that_a_plane_divides():
    features = RNG.normal(size=(400, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 0]
    labels = np.argmax([features[:, 0], (features[:, 1] - 5) / 10, features[:, 2] * 10], axis=0)
    probe = fit_linear_probe(features[:200], labels[:200], 3)
    assert np.mean(probe.predict(features[200:]) == labels[200:]) >= 0.93


def test_a_linear_probe_tells_no_more_than_chance_of_labels_that_are_drawn():
    features, labels = RNG.normal(size=(2000, 4)), RNG.integers(0, 2, 2000)
    probe = fit_linear_probe(features[:1000], labels[:1000], 2)
    assert np.mean(probe.predict(features[1000:]) == labels[1000:]) == pytest.approx(0.5, abs=0.06)  # 4 standard errors


@pytest.mark.parametrize("alike", [0.0, 0.99, 0.9999])
def test_a_fitted_probe_is_the_one_that_newtons_steps_find(alike):
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(300, 10)), rng.integers(0, 3, 300)
    labels = np.where(rng.random(300) < 0.7, np.argmax(features[:, :3], axis=1), labels)
    features = alike * features[:, :1] + (1 - alike) * features
    probe = fit_linear_probe(features, labels, 3)
    scaled = torch.tensor((features - probe.means) / probe.scales)

    def loss(flat):
        weights, biases = flat[:30].reshape(10, 3), flat[30:]
        entropy = torch.nn.functional.cross_entropy(scaled @ weights + biases, torch.tensor(labels))
        return entropy + PENALTY / 2 * (weights**2).sum()

    best = torch.zeros(33, dtype=torch.float64)
    for _ in range(20):
        gradient = torch.autograd.functional.jacobian(loss, best)
        best = best - torch.linalg.pinv(torch.autograd.functional.hessian(loss, best), rcond=1e-12) @ gradient
    assert gradient.abs().max() < 1e-10
    found = torch.tensor(np.append(probe.weights, probe.biases))
    assert float(loss(found) - loss(best)) < 1e-7


def test_features_that_never_change_and_classes_that_do_not_occur_do_no_harm():
    features = np.hstack([np.ones((50, 1)), RNG.normal(size=(50, 1))])
    labels = (features[:, 1] > 0).astype(int)
    probe = fit_linear_probe(features, labels, 4)
    assert np.mean(probe.predict(features) == labels) >= 0.95


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_a_feature_that_changed_by_rounding_only_counts_nothing_when_it_changes_later(number):
    """The mean of 37 times 0.1 is not 0.1 to the last bit."""
    rng = np.random.default_rng(3)
    features = np.hstack([rng.normal(size=(537, 1)), np.full((537, 1), 0.1)]).astype(number)
    features[37:, 1] = 0.1001
    labels = (features[:, 0] > 0).astype(int)
    probe = fit_linear_probe(features[:37], labels[:37], 2)
    assert np.mean(probe.predict(features[37:]) == labels[37:]) >= 0.9


@pytest.mark.parametrize("reads", ["all", "earlier", "neighbours"])
def test_the_weights_of_a_multi_head_probe_depend_on_places_only(reads):
    probe = MultiHeadProbe(4, 6, 3, heads=2, reads=reads, seed=1)
    contents = torch.randn(5, 6, 4)
    before = probe.weights()
    scores = probe(contents)
    probe(contents[torch.randperm(5)])
    after = probe.weights()
    assert torch.equal(before, after)
    assert torch.allclose(before.sum(-1), torch.ones(2, 6))
    places = torch.arange(6)[:, None] - torch.arange(6)
    allowed = {"all": places.abs() < 99, "earlier": places >= 0, "neighbours": places.abs() <= 1}[reads]
    assert ((before > 0) == allowed).all()
    mapped = torch.einsum("bkd,rdc->brkc", contents, probe.maps)
    expected = sum(before[r] @ mapped[:, r] for r in range(2)) + probe.biases  # [b, i, c]
    assert torch.allclose(scores, expected, atol=1e-5)


def test_a_multi_head_probe_reads_the_token_before_and_a_diagonal_one_cannot():
    tokens = RNG.integers(0, 3, (200, 5))
    residuals = np.eye(3, dtype=np.float32)[tokens]
    labels = np.roll(tokens, 1, axis=1)
    labels[:, 0] = -1
    probe = fit_multi_head_probe(residuals[:100], labels[:100], 3, heads=4, reads="neighbours", steps=200)
    told = probe(torch.tensor(residuals[100:])).argmax(-1).numpy()
    assert np.mean(told[:, 1:] == labels[100:, 1:]) >= 0.95
    linear = fit_linear_probe(residuals[:100, 1:].reshape(-1, 3), labels[:100, 1:].ravel(), 3)
    told = linear.predict(residuals[100:, 1:].reshape(-1, 3))
    assert np.mean(told == labels[100:, 1:].ravel()) == pytest.approx(1 / 3, abs=0.1)
