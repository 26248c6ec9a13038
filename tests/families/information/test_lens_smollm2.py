"""The lens of SmolLM2 against a float64 oracle, from a folder and from memory."""

import numpy as np
import pytest
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.information import token_texts, verify_readout
from internal_physics.families.information.lens import lens, surprisal_targets
from internal_physics.families.information.rows import prediction_rows
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import LoadOptions, load_snapshot
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import record_batches
from internal_physics.recording.selfcheck import check_model
from lens_cases import OPTIONS, found_rows
from lens_oracle import quantities


@pytest.fixture(scope="module")
def smol(smollm2):
    options = LoadOptions(device="cpu")
    model = check_model(load_snapshot(smollm2, options)).model
    model.labels = {"model": "smollm2", "condition": "baseline", "prompt_set": "s"}
    encoded = encode(Prompt("p", "The capital of France is"), model.tokenizer, "causal", None)
    (trace,) = record_batches(model, [encoded], OPTIONS)
    head = model.module.get_output_embeddings().weight.double().numpy()
    return trace, open_readout(smollm2, options), head, model.module.model.norm


def test_smollm2_equals_the_oracle(smol):
    trace, readout, head, norm = smol
    gain, epsilon = norm.weight.double().numpy(), norm.variance_epsilon

    def logits(layer):
        h = trace.residual(layer).astype(np.float64)
        return (h / np.sqrt((h**2).mean(axis=-1, keepdims=True) + epsilon) * gain) @ head.T

    read = lens(trace, readout)
    verify_readout(trace, read.final_log_p, "float32")
    found, final = found_rows(trace, read), logits(trace.n_layers)[-1]
    for layer in (0, 1, 11, 24, 29, 30):
        expected = quantities(logits(layer), final, surprisal_targets(trace, "next"), -1)
        for quantity, value in expected.items():
            assert found[quantity][layer] == pytest.approx(value, abs=1e-4, rel=1e-4), (quantity, layer)


def test_smollm2_predicts_paris(smol, smollm2):
    trace, readout, _, _ = smol
    table = list(prediction_rows(trace, lens(trace, readout), token_texts(smollm2), k=3, sampling=False, seed=0))
    assert table[0]["token"] == " Paris"


def test_the_api_reads_a_model_in_memory_and_a_folder_alike(smol, smollm2):
    import internal_physics as ip

    trace = smol[0]
    from_folder = ip.lens(trace, smollm2, device="cpu", temperature=2.0, top_k=3)
    from_memory = ip.lens(trace, load_snapshot(smollm2, LoadOptions(device="cpu")), temperature=2.0, top_k=3)
    np.testing.assert_allclose(from_folder.entropy_nats, from_memory.entropy_nats, atol=1e-12)
    assert from_folder.layer_ids.shape == (31, 3)
