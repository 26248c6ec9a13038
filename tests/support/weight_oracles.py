"""Slow references for the thermodynamics of the weights, from the definitions; nothing of the library is imported.

The derived columns are written as the published script has them: a table sorted by name, differences by shifting it.
"""

import numpy as np
import pandas as pd
import torch
from torch import nn

PUBLISHED = (
    "name", "temperature", "entropy", "energy", "free_energy", "W_norm", "G_norm", "dE", "dT", "dG_norm", "dS", "dF",
    "specific_heat", "susceptibility", "compressibility", "latent_heat_jump", "neg_specific_heat", "suscept_divergent",
    "high_compress",
)  # fmt: skip


def dense_gradients(model: nn.Module, ids: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Gradient of every 2-D parameter by autograd, in float64; tied weights once."""
    model.requires_grad_(True)
    model.zero_grad()
    tokens = torch.tensor([ids])
    model(tokens, labels=tokens).loss.backward()
    found = {name: p.grad.double().numpy() for name, p in model.named_parameters() if p.ndim == 2}
    model.zero_grad(set_to_none=True)
    model.requires_grad_(False)
    return found


def state(weight: np.ndarray, gradient: np.ndarray) -> dict[str, float]:
    """T, S, E, F and both norms of one weight, by a float64 SVD."""
    sigma = np.linalg.svd(weight.astype(np.float64), compute_uv=False)
    share = sigma / sigma.sum()
    share = share[share > 0]
    w_norm, g_norm = np.sqrt((weight.astype(np.float64) ** 2).sum()), np.sqrt((gradient**2).sum())
    temperature, entropy = w_norm / (g_norm + 1e-8), -(share * np.log(share)).sum()
    energy = (sigma**2).sum() / (sigma.sum() + 1e-8)
    return {
        "temperature": temperature,
        "entropy": entropy,
        "energy": energy,
        "free_energy": energy - temperature * entropy,
        "W_norm": w_norm,
        "G_norm": g_norm,
    }


def published(states: dict[str, dict[str, float]], *, method: str = "z_score") -> pd.DataFrame:
    """The published table: rows sorted by name as text, derivatives, quotients and flags."""
    table = pd.DataFrame([{"name": name, **values} for name, values in states.items()]).sort_values("name")
    table = table.reset_index(drop=True)
    sources = {"dE": "energy", "dT": "temperature", "dG_norm": "G_norm", "dS": "entropy", "dF": "free_energy"}
    for name, source in sources.items():
        table[name] = (table[source].shift(-1) - table[source].shift(1)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        table["specific_heat"] = table.dE / (table.dT + 1e-6)
        table["susceptibility"] = table.dG_norm / (table.dT + 1e-6)
        table["compressibility"] = -table.dS / (table.dF + 1e-6)
    table["latent_heat_jump"] = (table.dT.abs() < 1e-2) & (table.dE.abs() > 5)
    table["neg_specific_heat"] = table.specific_heat < 0
    for name, source, sigmas, threshold in (
        ("suscept_divergent", "susceptibility", 3, 1e-3),
        ("high_compress", "compressibility", 2, 0.3),
    ):
        values = table[source]
        finite = values[np.isfinite(values)]
        z = (values - finite.mean()) / finite.std()
        table[name] = z.abs() > sigmas if method == "z_score" else values.abs() > threshold
    return table[list(PUBLISHED)]
