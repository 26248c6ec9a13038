"""The run-folder layout of the published information package, for those who read it.

    results/information/{standard,control,comparative}/{data,plots,predictions}/

data: one CSV per model and metric (and, but for `standard`, condition), columns `sentence` and `values` (a JSON list,
one number per layer, null where there is none). Comparative files have four rows per sentence, marked (standard),
(control), (difference) and (percent_change). predictions: Sentence, Token, Probability, Analysis.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from internal_physics.families.information.figures import information_metric
from internal_physics.families.information.tables import INFORMATION, PREDICTIONS
from internal_physics.families.run.notes import of_prompts
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.figures.style import save
from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK
from internal_physics.statistics.paired import percent_change
from internal_physics.tables.keys import PROMPT_OF_MODEL_KEY
from internal_physics.tables.read import read_table

METRICS = (
    "entropy_nats",
    "perplexity",
    "margin",
    "kl_uniform_nats",
    "attention_entropy_nats",
    "surprisal_nats",
)
ANALYSES = ("standard", "control", "comparative")
PUBLISHED_COLUMNS = {"text": "Sentence", "token": "Token", "probability": "Probability"}
_SENTENCE = ["prompt_set", "prompt", "text"]


def information_package(
    information: str | Path,
    predictions: str | Path,
    prompts: str | Path,
    plots: Mapping[str, Iterable[str | Path]],
    folders: Mapping[str, str | Path],
    *,
    models: Sequence[str],
    prompt_sets: Sequence[str],
) -> None:
    """Write the whole layout, one model after the other.

    Args:
        information: the table's Parquet file.
        predictions: likewise.
        prompts: likewise, of table `prompts_read`.
        plots: analysis → figures of the run to put beside its data; those of `control` are drawn here.
        folders: analysis → its folder, all of ANALYSES, side by side.
        models: in the order of the figures.
        prompt_sets: likewise.
    """
    folder = Path(folders["standard"]).parent
    published = ("quantity", "in", METRICS)
    for model in models:
        of_model = ("model", "=", model)
        texts = read_table(prompts, PROMPTS_READ, [of_model], [*PROMPT_OF_MODEL_KEY, "text"])
        rows = with_texts(read_table(information, INFORMATION, [of_model, published]), texts)
        predicted = published_predictions(read_table(predictions, PREDICTIONS, [of_model]))
        write_folder(published_tables(rows) | predicted, folder)
    for analysis, figures in plots.items():
        copy_plots(figures, folder / analysis)
    steered = read_table(information, INFORMATION, [("condition", "!=", BASELINE), published])
    draw_control_plots(steered, folder / "control", models=models, prompt_sets=prompt_sets)


def published_tables(rows: pd.DataFrame, metrics: Iterable[str] = METRICS) -> dict[str, pd.DataFrame]:
    """Relative path → table with columns `sentence` and `values`, for all data files.

    Args:
        rows: columns model, condition, prompt_set, prompt, text, quantity, layer, value: one number per prompt and
            layer at the read position; other quantities are left out.
        metrics: the quantities to publish, in the package's order.
    """
    tables: dict[str, pd.DataFrame] = {}
    for (model, metric), group in _groups(rows, ["model", "quantity"], metrics):
        values = {condition: _per_sentence(one) for condition, one in group.groupby("condition", sort=False)}
        standard = values.get(BASELINE, {})
        tables[f"standard/data/{model}_{metric}.csv"] = _table(standard)
        for condition in (name for name in values if name != BASELINE):
            tables[f"control/data/{condition}_{model}_{metric}.csv"] = _table(values[condition])
            tables[f"comparative/data/{condition}_{model}_{metric}.csv"] = _table(
                _compared(standard, values[condition])
            )
    return tables


def published_predictions(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Relative path → predictions, one file per model (and condition); the comparative ones hold both conditions.

    Args:
        predictions: table `predictions`: columns model, condition, text, token, probability at least, in order.
    """
    tables: dict[str, pd.DataFrame] = {}
    for model, group in predictions.groupby("model", sort=False):
        standard = _predictions(group[group.condition == BASELINE], "standard")
        tables[f"standard/predictions/{model}_predictions.csv"] = standard
        for condition, one in group[group.condition != BASELINE].groupby("condition", sort=False):
            control = _predictions(one, "control")
            tables[f"control/predictions/{condition}_{model}_predictions.csv"] = control
            both = pd.concat([standard, control], ignore_index=True)
            tables[f"comparative/predictions/{condition}_{model}_predictions.csv"] = both
    return tables


def write_folder(tables: Mapping[str, pd.DataFrame], folder: str | Path) -> None:
    """Write tables below a folder, which gets all nine parts of the layout even if some are empty."""
    for analysis in ANALYSES:
        for part in ("data", "plots", "predictions"):
            (Path(folder) / analysis / part).mkdir(parents=True, exist_ok=True)
    for path, table in tables.items():
        table.to_csv(Path(folder) / path, index=False)


def with_texts(information: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """Rows of table `information` with the text of the prompt, from table `prompts_read`; flagged values are NaN."""
    value = information["value"].where(information["status"] == OK)
    return information.assign(value=value, text=of_prompts(information, prompts, ["text"])["text"])


def copy_plots(figures: Iterable[str | Path], folder: Path) -> None:
    """Put figures of the run beside the data that they show."""
    for figure in figures:
        shutil.copyfile(figure, folder / "plots" / Path(figure).name)


def draw_control_plots(
    information: pd.DataFrame, folder: Path, *, models: Sequence[str], prompt_sets: Sequence[str]
) -> None:
    """One figure per condition and metric: prompts faint, their mean, a band of one standard deviation.

    Args:
        information: table `information`.
        folder: that of the control analysis.
        models: in their order; those without the condition are left out.
        prompt_sets: likewise.
    """
    steered = information[information["condition"] != BASELINE]
    for condition, rows in steered.groupby("condition", sort=False):
        own_models = [model for model in models if (rows["model"] == model).any()]
        own_sets = [name for name in prompt_sets if (rows["prompt_set"] == name).any()]
        for metric in METRICS:
            figure = information_metric.draw(rows, metric, condition, models=own_models, prompt_sets=own_sets)
            save(figure, [folder / "plots" / f"{condition}_{metric}.png"])


def _groups(rows: pd.DataFrame, keys: list[str], metrics: Iterable[str]) -> Iterator[tuple[tuple, pd.DataFrame]]:
    """Groups in the order of the metrics."""
    found = dict(iter(rows.groupby(keys, sort=False)))
    for metric in metrics:
        yield from ((key, group) for key, group in found.items() if key[1] == metric)


def _per_sentence(rows: pd.DataFrame) -> dict[tuple, tuple[str, dict[int, float]]]:
    """Prompt → (sentence, layer → value), in the order of the rows; each prompt separately, even with equal texts."""
    return {
        key: (key[-1], dict(zip(group.layer, group.value, strict=True)))
        for key, group in rows.groupby(_SENTENCE, sort=False)
    }


def _compared(
    standard: Mapping[tuple, tuple[str, dict[int, float]]], control: Mapping[tuple, tuple[str, dict[int, float]]]
) -> dict[tuple, tuple[str, dict[int, float]]]:
    """Four rows for every sentence of both conditions."""
    marks: dict[str, Callable[[float, float], float]] = {
        "standard": lambda x, _: x,
        "control": lambda _, y: y,
        "difference": lambda x, y: y - x,
        "percent_change": lambda x, y: float(percent_change(y - x, x)),
    }
    rows = {}
    for key in (key for key in standard if key in control):
        (text, before), (_, after) = standard[key], control[key]
        layers = [layer for layer in before if layer in after]
        for mark, measure in marks.items():
            rows[*key, mark] = (f"{text} ({mark})", {layer: measure(before[layer], after[layer]) for layer in layers})
    return rows


def _table(sentences: Mapping[tuple, tuple[str, dict[int, float]]]) -> pd.DataFrame:
    rows = [(text, _as_json([values[layer] for layer in sorted(values)])) for text, values in sentences.values()]
    return pd.DataFrame(rows, columns=["sentence", "values"])


def _as_json(values: Iterable[float]) -> str:
    return json.dumps([float(value) if math.isfinite(value) else None for value in values])


def _predictions(rows: pd.DataFrame, analysis: str) -> pd.DataFrame:
    published = rows[list(PUBLISHED_COLUMNS)].rename(columns=PUBLISHED_COLUMNS)
    return published.assign(Analysis=analysis).reset_index(drop=True)
