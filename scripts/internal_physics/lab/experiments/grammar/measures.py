"""What a model of a grammar has learned: its strings, its distribution, the tree in its residuals, its attention."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from internal_physics.config.options.lab_grammar import GrammarMeasures
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.grammars.forest import Forest, sample_forest
from internal_physics.lab.data.grammars.grammar import Grammar
from internal_physics.lab.experiments.experiment import OF_ARM, Trained
from internal_physics.lab.experiments.grammar import attention, distribution, probing
from internal_physics.lab.experiments.grammar.data import grammar_of
from internal_physics.lab.experiments.grammar.experiment import LAB_GRAMMAR
from internal_physics.lab.experiments.grammar.many_tokens import probe_many_tokens
from internal_physics.lab.experiments.grammar.passes import residuals
from internal_physics.lab.models.build import build_model
from internal_physics.lab.models.masked import is_masked
from internal_physics.lab.models.run import load_model
from internal_physics.models.lab_architecture.configuration import LabConfig

MASKED = "a masked model predicts no next token"
ALL_SHORTER = "no string is longer than the cut"
_COLUMNS = [name for name in LAB_GRAMMAR.columns if name not in OF_ARM]


def measure(trained: Trained, options: GrammarMeasures) -> Mapping[str, pd.DataFrame]:
    """Tables `lab_grammar` (every snapshot), `lab_grammar_probes` and `lab_grammar_attention` (the last one)."""
    grammar = grammar_of(trained.data)
    task = "masked" if is_masked(trained.snapshots[trained.last_step]) else "causal"
    last = load_model(trained.snapshots[trained.last_step], task, trained.device)
    return {
        "lab_grammar": pd.DataFrame(_learned(trained, options, grammar, task), columns=_COLUMNS),  # of no value, too
        "lab_grammar_probes": pd.DataFrame(_probed(trained, options, grammar, last)),
        "lab_grammar_attention": pd.DataFrame(_attended(trained, options, grammar, last)),
    }


def _config(trained: Trained) -> LabConfig:
    return LabConfig.from_pretrained(str(trained.snapshots[trained.last_step]))


def _fresh(grammar: Grammar, n_strings: int, trained: Trained, purpose: str) -> Forest:
    """Strings that depend on the seed and not on the arm, so that arms are compared on the same ones."""
    return sample_forest(grammar, n_strings, generator(trained.seed, "strings of a measurement", purpose))


def _learned(trained: Trained, options: GrammarMeasures, grammar: Grammar, task: str) -> Iterator[Mapping[str, Any]]:
    if task == "masked":
        for step in trained.snapshots:
            yield from ({"step": step, "cut": cut, "n_generated": 0, "status": MASKED} for cut in options.cuts)
        return
    judged = _fresh(grammar, options.n_strings, trained, "distribution")
    begun = _fresh(grammar, 2 * options.n_generated, trained, "beginnings")
    for step, folder in trained.snapshots.items():
        model = load_model(folder, task, trained.device)
        divergences = distribution.divergences_nats(model, judged)
        for cut in options.cuts:
            seed = seed_of(trained.seed, "strings that a model writes", str(cut)) % 2**63
            found = distribution.generate(model, begun, cut, options.n_generated, seed)
            kl_nats = distribution.mean_divergence_nats(divergences, cut)
            yield {"step": step, "cut": cut, "kl_nats": kl_nats, **_generated_row(found)}


def _generated_row(found: distribution.Generated | None) -> Mapping[str, Any]:
    if found is None:
        return {"n_generated": 0, "status": ALL_SHORTER}
    return {
        "n_generated": found.n,
        "accuracy": found.accuracy,
        "n_distinct": found.n_distinct,
        "n_distinct_grammar": found.n_distinct_grammar,
        "entropy_nats": found.entropy_nats,
        "grammar_entropy_nats": found.grammar_entropy_nats,
        "status": OK,
    }


def _probed(
    trained: Trained, options: GrammarMeasures, grammar: Grammar, last: PreTrainedModel
) -> Iterator[Mapping[str, Any]]:
    """Rows of the trained model, then means over models with random weights: a single draw may be far from them."""
    forest = _fresh(grammar, options.n_probed, trained, "probes")
    for weights, models in (("trained", [last]), ("random", _random(trained, options.random_draws))):
        told = [_told(model, forest, options) for model in models]
        for residual, level, target in told[0]:
            found = [of_model[residual, level, target] for of_model in told]
            accuracies = np.array([of_model.accuracy for of_model in found])
            yield {
                "weights": weights,
                "residual": residual,
                "level": grammar.level_name(level),
                "target": target,
                "accuracy": accuracies.mean(),
                "n_draws": accuracies.size,
                "accuracy_std": accuracies.std(ddof=1) if accuracies.size > 1 else np.nan,
                "majority": found[0].majority,
                "n_tokens": found[0].n_tokens,
                "status": OK,
            }


def _random(trained: Trained, n: int) -> Iterator[PreTrainedModel]:
    """Models of the trained one's shape that learned nothing, each of its own draw, none of them its first weights."""
    for draw in range(n):
        seed = seed_of(trained.seed, "a model that learned nothing", str(draw))
        yield build_model(_config(trained), seed).to(trained.device)  # type: ignore[arg-type]


def _told(
    model: PreTrainedModel, forest: Forest, options: GrammarMeasures
) -> Mapping[tuple[int, int, str], probing.Probed]:
    """(residual, level, target) → what the probe tells."""
    is_fitted = probing.is_fitted_on(forest)
    return {
        (residual, task.level, task.target): _probe(features, task, is_fitted, forest, options)
        for residual, features in enumerate(residuals(model, forest))
        for task in probing.tasks(forest)
    }


def _probe(
    features: np.ndarray, task: probing.Task, is_fitted: np.ndarray, forest: Forest, options: GrammarMeasures
) -> probing.Probed:
    if options.probe == "diagonal":
        return probing.probe(features, task, is_fitted)
    return probe_many_tokens(
        features, task, is_fitted, forest.lengths, heads=options.probe_heads, steps=options.probe_steps
    )


def _attended(
    trained: Trained, options: GrammarMeasures, grammar: Grammar, last: PreTrainedModel
) -> Iterator[Mapping[str, Any]]:
    forest = _fresh(grammar, options.n_strings, trained, "attention")
    for found in attention.excesses(attention.beyond_places(last, forest), forest):
        yield {
            "block": found.block,
            "level": grammar.level_name(found.level),
            "pairs": found.kind,
            "offset": found.offset,
            "excess_attention": found.attention,
            "n_pairs": found.n_pairs,
            "status": OK if found.n_pairs else "no such pairs of tokens",
        }
