"""The distribution at the read position of every prompt of a pass.

Index conventions: b prompt of the batch, v vocabulary entry, k rank.
"""

from dataclasses import dataclass

import numpy as np
import torch

from internal_physics.recording.arrays import ToHost, to_numpy
from internal_physics.records.trace import Key


@dataclass(frozen=True)
class Prediction:
    """Logits [b, v]; entropy [b] in nats; the most probable tokens and their log-probabilities [b, k]."""

    logits: torch.Tensor
    entropy_nats: torch.Tensor
    top_ids: torch.Tensor
    top_log_probabilities: torch.Tensor


def predict(logits: torch.Tensor, top_k: int, to_host: ToHost) -> Prediction:
    """Sum up logits [b, v], on the host once `to_host` has waited."""
    log_p = logits.double().log_softmax(dim=-1)
    top = log_p.topk(min(top_k, log_p.shape[-1]), dim=-1)
    entropy = -(log_p.exp() * log_p).sum(dim=-1)
    return Prediction(*(to_host.start(tensor) for tensor in (logits, entropy, top.indices, top.values)))


def prediction_tensors(prediction: Prediction, b: int, n_layers: int, *, logits: bool) -> dict[Key, np.ndarray]:
    """Entropy and most probable tokens of prompt b, and if asked for its logits [v]."""
    whole = {Key("logits", n_layers, "logits"): to_numpy(prediction.logits[b])} if logits else {}
    return whole | {
        Key("logits", n_layers, "entropy_nats"): to_numpy(prediction.entropy_nats[b]),
        Key("logits", n_layers, "top_ids"): to_numpy(prediction.top_ids[b]),
        Key("logits", n_layers, "top_log_probabilities"): to_numpy(prediction.top_log_probabilities[b]),
    }
