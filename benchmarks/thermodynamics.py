"""Row 5 of the table: thermodynamics of a whole model, for one prompt and for five.

The usual way: for every prompt dense gradients of all weights, and two float32 SVDs of each weight (one for the
entropy, one for the energy). Ours: spectra once, a record of each prompt, norms from its factors.
"""

import torch
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.families.thermodynamics.thermodynamics import thermodynamics_of
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import RecordOptions, record_batches

from benchmarks.harness import Row, alternate, ratio
from benchmarks.subjects import load, prompts

BARS = {1: 4.0, 5: 10.0}
MOST_ROUNDS = {1: 3, 5: 1}  # seconds of noise do not matter among minutes


def rows(rounds: int) -> list[Row]:
    """Measure on SmolLM2-135M, float32, this machine's CPU; the usual way takes about half a minute a prompt."""
    model = load()
    five = prompts(model, "difficulty_spectrum", 5)
    found = []
    for n, bar in BARS.items():
        batch = five[:n]
        usual_way, our_way = (lambda b=batch: usual(model, b)), (lambda b=batch: ours(model, b))
        contestants = {"usual": usual_way, "ours": our_way}
        seconds = alternate(contestants, min(rounds, MOST_ROUNDS[n]), warm_up=False)
        measured = ratio(seconds["usual"], seconds["ours"])
        what = f"thermodynamics of all weights vs. two SVDs each and dense gradients, {n} prompt{'s' * (n > 1)}"
        found.append(Row(what, f"≥ {bar:g}×", f"{measured:.1f}×", measured >= bar))
    return found


def ours(model: LoadedModel, batch: list[Encoded]) -> None:
    """Spectra, records and states of all weights."""
    weights = weight_spectra(model, threads=torch.get_num_threads())
    thermodynamics_of(record_batches(model, batch, RecordOptions(attention_entropy=False)), weights)


def usual(model: LoadedModel, batch: list[Encoded]) -> None:
    """Each prompt on its own: backward through all weights, then T, S, E and F of each from dense matrices."""
    module = model.module.requires_grad_(True)
    for e in batch:
        module.zero_grad()
        ids = torch.tensor([e.ids])
        module(ids, labels=ids).loss.backward()
        for parameter in module.parameters():
            if parameter.ndim == 2:
                usual_state(parameter.detach(), parameter.grad)
    module.zero_grad(set_to_none=True)
    module.requires_grad_(False)


def usual_state(weight: torch.Tensor, gradient: torch.Tensor) -> tuple[float, float, float, float]:
    """T, S, E and F by the definitions, an SVD for the entropy and another for the energy."""
    temperature = weight.norm() / (gradient.norm() + 1e-8)
    shares = torch.linalg.svdvals(weight)
    shares = shares / shares.sum()
    entropy = -(shares * torch.log(shares.clamp_min(1e-30))).sum()
    values = torch.linalg.svdvals(weight)
    energy = (values**2).sum() / (values.sum() + 1e-8)
    return float(temperature), float(entropy), float(energy), float(energy - temperature * entropy)
