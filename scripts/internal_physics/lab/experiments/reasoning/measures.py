"""What a model that was trained on problems can solve, which errors it makes, what its states tell, and when."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from internal_physics.config.options.lab_reasoning import ReasoningMeasures
from internal_physics.ground.status import OK, value_status
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.check import ERROR_KINDS
from internal_physics.lab.data.reasoning.nano import VOCABULARY
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.reasoning import asking, depth, foresight, questions, solving, uncertainty
from internal_physics.lab.experiments.solutions import mean_of
from internal_physics.lab.models.run import load_model
from internal_physics.lab.probes.asking import Probe, told_by
from internal_physics.lab.probes.problem_answers import NO_ITEMS, PROBE_COLUMNS, probe_rows, random_model
from internal_physics.lab.probes.problem_columns import RANDOM, TRAINED
from internal_physics.lab.probes.problem_questions import CAN_BE_NEXT

NOT_FINITE = "the signal is not finite"
_ERROR_COLUMNS = ("operations", "error", "n_solutions", "share", "status")
_DEPTH_COLUMNS = ("told_by", "layer", "distance", "accuracy", "n_items", "status")
_FORESIGHT_COLUMNS = ("signal", "operations", "item", "is_wrong", "value", "status")
_PATH_COLUMNS = ("operations", "item", "problem", "solution", "is_correct", "error")
N_PATHS = 30
"""Solutions of each number of operations that are kept as texts, the first ones whatever they are."""


def measure(trained: Trained, options: ReasoningMeasures) -> Mapping[str, pd.DataFrame]:
    """The seven tables of `reasoning`, of the last snapshot; `lab_reasoning_along` of all.

    Probes ask models that were trained on right solutions from random weights; models of retries take back.
    """
    model = load_model(trained.snapshots[trained.last_step], device=trained.device)
    solved = {k: _solved(model, trained, options, k) for k in range(1, trained.data.operations + 2)}
    shown = list(_unsure(model, solved))
    probes: list[tuple[Any, ...]] = []
    deep: list[tuple[Any, ...]] = []
    if trained.data.retry_rate:
        shown.extend(_taking_back(model, trained, options))
    elif not trained.data.skipped_steps:
        tasks: tuple[str, ...] = options.probe_tasks
        fitted = {task: asking.fit_probe(model, task, trained.data, options, trained.seed) for task in tasks}
        probes.extend(_probed(fitted, trained, options))
        if CAN_BE_NEXT in fitted:
            shown.extend(_before_own_steps(fitted[CAN_BE_NEXT], solved, trained.seed))
        if options.probe_layers == "all":
            deep.extend(_deep({TRAINED: model, RANDOM: random_model(trained)}, trained, options))
    return {
        "lab_reasoning": pd.DataFrame(_row(trained, k, found) for k, found in solved.items()),
        "lab_reasoning_along": pd.DataFrame(_along(trained, options)),
        "lab_reasoning_errors": pd.DataFrame(_errors(solved), columns=_ERROR_COLUMNS),
        "lab_reasoning_probes": pd.DataFrame(probes, columns=PROBE_COLUMNS),
        "lab_reasoning_depth": pd.DataFrame(deep, columns=_DEPTH_COLUMNS),
        "lab_reasoning_foresight": pd.DataFrame(shown, columns=_FORESIGHT_COLUMNS),
        "lab_reasoning_paths": pd.DataFrame(_paths(solved), columns=_PATH_COLUMNS),
    }


def _solved(model: PreTrainedModel, trained: Trained, options: ReasoningMeasures, k: int) -> list[solving.Solved]:
    problems = solving.fresh_problems(trained.data, k, options.n_problems, trained.seed, "solved")
    return solving.solve_all(model, problems, k)


def _along(trained: Trained, options: ReasoningMeasures) -> Iterator[Mapping[str, Any]]:
    """Rows of `lab_reasoning_along`; the same problems at every snapshot."""
    sizes = range(1, trained.data.operations + 1)
    asked = {k: solving.fresh_problems(trained.data, k, options.n_along, trained.seed, "along") for k in sizes}
    for step, folder in trained.snapshots.items():
        model = load_model(folder, device=trained.device)
        correct = [one.verdict.is_correct for k in sizes for one in solving.solve_all(model, asked[k], k)]
        yield {"step": step, "n_problems": len(correct), "accuracy": float(np.mean(correct)), "status": OK}


def _row(trained: Trained, k: int, solved: Sequence[solving.Solved]) -> Mapping[str, Any]:
    verdicts = [one.verdict for one in solved]
    correct = [verdict for verdict in verdicts if verdict.is_correct]
    draws = generator(trained.seed, "a solver without a plan", str(k))
    return {
        "step": trained.last_step,
        "operations": k,
        "in_training": k <= trained.data.operations,
        "n_problems": len(solved),
        "accuracy": len(correct) / len(solved),
        "answer_accuracy": float(np.mean([one.has_right_answer for one in solved])),
        "unnecessary_parameters": mean_of([verdict.unnecessary_parameters for verdict in correct]),
        "unnecessary_at_random": solving.unnecessary_at_random([one.problem for one in solved], draws),
        "retries": float(np.mean([verdict.retries for verdict in verdicts])),
        "retried_share": mean_of([verdict.retries > 0 for verdict in correct]),
        "status": OK,
    }


def _errors(solved: Mapping[int, Sequence[solving.Solved]]) -> Iterator[tuple[Any, ...]]:
    for k, found in solved.items():
        counts = Counter(one.verdict.error for one in found)
        yield from ((k, kind, counts[kind], counts[kind] / len(found), OK) for kind in ERROR_KINDS)


def _paths(solved: Mapping[int, Sequence[solving.Solved]]) -> Iterator[tuple[Any, ...]]:
    """Problems and solutions as texts."""
    for k, found in solved.items():
        for number, one in enumerate(found[:N_PATHS]):
            problem, solution = (" ".join(VOCABULARY.words(t)) for t in (one.problem.prompt(), one.tokens))
            yield k, number, problem, solution, one.verdict.is_correct, one.verdict.error or None


def _probed(fitted: Mapping[str, Probe], trained: Trained, options: ReasoningMeasures) -> Iterator[tuple[Any, ...]]:
    random = random_model(trained)
    for task, probe in fitted.items():
        judged = questions.judged_items(task, trained.data, options.probe_judged, trained.seed)
        right, rows = np.array([item.answer for item in judged]), [item.tokens for item in judged]
        control = asking.fit_probe(random, task, trained.data, options, trained.seed)
        told = {TRAINED: told_by(probe, rows), RANDOM: told_by(control, rows)}
        for name, rule in questions.RULES[task].items():
            told[name] = np.array([int(rule(item)) for item in judged])
        yield from probe_rows(task, told, right, questions.n_answers(task))


def _deep(
    models: Mapping[str, PreTrainedModel], trained: Trained, options: ReasoningMeasures
) -> Iterator[tuple[Any, ...]]:
    for name, model in models.items():
        for layer, distance, accuracy, n in depth.by_layer(model, trained.data, options, trained.seed):
            yield name, layer, distance, accuracy, n, value_status(accuracy, NO_ITEMS)


def _before_own_steps(
    probe: Probe, solved: Mapping[int, Sequence[solving.Solved]], seed: int
) -> Iterator[tuple[Any, ...]]:
    for k in sorted(solved)[2:]:
        draws = generator(seed, "own steps", str(k))
        yield from _shown("probe", k, foresight.before_own_steps(probe, solved[k], draws))


def _unsure(model: PreTrainedModel, solved: Mapping[int, Sequence[solving.Solved]]) -> Iterator[tuple[Any, ...]]:
    for k in sorted(solved)[1:]:
        for signal, shown in uncertainty.before_choices(model, solved[k]).items():
            yield from _shown(signal, k, shown)


def _taking_back(model: PreTrainedModel, trained: Trained, options: ReasoningMeasures) -> Iterator[tuple[Any, ...]]:
    for k in range(2, trained.data.operations + 2):
        problems = solving.fresh_problems(trained.data, k, options.n_prefixes, trained.seed, "taken back")
        draws = generator(trained.seed, "parameters that are shown", str(k))
        yield from _shown("taking_back", k, foresight.taking_back(model, problems, draws))


def _shown(signal: str, k: int, shown: Sequence[foresight.Shown]) -> Iterator[tuple[Any, ...]]:
    yield from (
        (signal, k, number, one.is_wrong, one.value, value_status(one.value, NOT_FINITE))
        for number, one in enumerate(shown)
    )
