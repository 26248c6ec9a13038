"""Peak memory of the jobs that read all models, with ten times the models. Each job runs in a process of its own.

The metric files are made up, of the shape of real ones; what reads them are the functions that the rules call.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import PeakMemory, Row
from benchmarks.subjects import ROOT

FEW, TIMES, N_PROMPTS, SET_SIZE, N_LAYERS = 2, 10, 1000, 250, 12
SETS = [f"set_{number:03d}" for number in range(N_PROMPTS // SET_SIZE)]
JOBS = (
    *("collect", "collect_information", "collect_thermodynamics", "gains", "compare", "hypotheses", "correlate"),
    *("check_tables", "report"),
)
METRICS = ("ec", "isc", "isg", "isa", "isf")
CONDITIONS = ("baseline", "steered")  # of ec alone, to be compared
OF_RULES = ("states", "flags", "means", "layers", "counts")
WEIGHTS = [f"block.{layer}.{kind}" for layer in range(N_LAYERS) for kind in ("query", "up")]
BAR = 1.5
_SETTINGS = {"seed": 0, "n_resamples": 99, "confidence_level": 0.95}
_BY_LAYER = {
    "ec": ("relative_gradient_change",),
    "isc": ("gradient_norm",),
    "isg": (),
    "isa": ("gradient_cosine",),
}


def rows() -> list[Row]:
    """Every job on the small run and on the large one."""
    found: dict[int, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, TIMES):
            place = Path(folder) / str(times)
            make_up(place, FEW * times)
            found[times] = {job: _in_own_process(job, place) for job in JOBS}
    return [_row(job, found[1][job], found[TIMES][job]) for job in JOBS]


def _row(job: str, small: int, large: int) -> Row:
    what = f"peak memory of {job}, {FEW * TIMES} models × {N_PROMPTS:,} prompts vs. {FEW} ({large / 1e6:.0f} MB)"
    return Row(what, f"≤ {BAR:g}×", f"{large / small:.2f}×", large <= BAR * small)


def make_up(folder: Path, n_models: int) -> None:
    """Write the metric files of a run, and of its weights."""
    from internal_physics.tables.chunks import write_chunks

    for model in (f"model_{number:03d}" for number in range(n_models)):
        for metric in METRICS:
            path = folder / "metrics" / metric / model / "baseline.parquet"
            write_chunks((_metric(metric, keys) for keys in _sets(model)), path)
        for condition in CONDITIONS:
            path = folder / "metrics" / "ec" / model / f"{condition}.parquet"
            write_chunks((_metric("ec", keys) for keys in _sets(model, condition)), path)
        path = folder / "metrics" / "residual_gain" / model / "baseline.parquet"
        write_chunks((_residual_gain(keys) for keys in _sets(model)), path)
        path = folder / "metrics" / "information" / model / "baseline.parquet"
        write_chunks((_information(keys) for keys in _sets(model)), path)
        path = folder / "lens" / model / "predictions.parquet"
        write_chunks((_filled("predictions", keys, rank=1) for keys in _sets(model)), path)
        for name in OF_RULES:
            path = folder / "thermodynamics" / model / f"{name}.parquet"
            write_chunks((_of_weights(name, keys) for keys in _sets(model)), path)
        write_chunks([_spectra(model)], folder / "weights" / f"{model}.parquet")
    models = (f"model_{number:03d}" for number in range(n_models))
    _write((("prompts_read", _prompts_read(model)) for model in models), folder / "tables", "prompts_read")


def _prompts_read(model: str) -> pd.DataFrame:
    """The prompts of all sets with their notes, as a model reads them."""
    prompts = pd.concat(_sets(model), ignore_index=True).drop(columns="condition")
    kinds = np.where(np.arange(len(prompts)) % 2, "a", "b")
    return prompts.assign(
        text=prompts["prompt_set"] + " " + prompts["prompt"], kind=kinds, difficulty=None, answer=None, n_tokens=20,
        tokens="x|" * 20, status="ok"
    )  # fmt: skip


def _models(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "weights").iterdir())


def _sets(model: str, condition: str = "baseline") -> Iterator[pd.DataFrame]:
    """Keys of the prompts, one set after the other."""
    for name in SETS:
        keys = {"model": model, "condition": condition, "prompt_set": name}
        yield pd.DataFrame({**keys, "prompt": [f"p{i:03d}" for i in range(SET_SIZE)]})


def _metric(metric: str, prompts: pd.DataFrame) -> pd.DataFrame:
    """Rows of one set, columns of metrics.table."""
    if metric == "isf":
        head = [("isf", None), ("isf_ci_low", None), ("isf_ci_high", None)]
        ranks = [(quantity, rank) for rank in range(1, len(prompts) + 1) for quantity in ("eigenvalue", "fitted")]
        of_set = prompts.iloc[:1].drop(columns="prompt").assign(prompt=None)
        return _tidy(of_set, [(quantity, None, rank) for quantity, rank in head + ranks], n_tokens=None, loss_nats=None)
    by_layer = [(quantity, layer, None) for quantity in _BY_LAYER[metric] for layer in range(N_LAYERS)]
    return _tidy(prompts, [(metric, None, None), *by_layer], n_tokens=20, loss_nats=1.0)


def _information(prompts: pd.DataFrame) -> pd.DataFrame:
    from internal_physics.families.information.rows import QUANTITIES

    return _tidy(
        prompts, [(q, layer, None) for q in QUANTITIES for layer in range(N_LAYERS + 1)], n_tokens=20, loss_nats=1.0
    )


def _residual_gain(prompts: pd.DataFrame) -> pd.DataFrame:
    from internal_physics.families.residual_gain.variants import VARIANTS

    by_layer = [(f"residual_gain_{variant}", layer, None) for variant in VARIANTS for layer in range(N_LAYERS)]
    of_prompt = [
        (f"{what}_{v}", None, None)
        for what in ("last_gain", "cumulative_gain", "log_cumulative_gain")
        for v in VARIANTS
    ]
    tokens = [("top_token", None, rank) for rank in range(1, 6)]
    numbers = [("next_token_entropy_nats", None, None), *of_prompt, *by_layer, *tokens]
    table = _tidy(prompts, numbers, n_tokens=20, loss_nats=1.0)
    return table.assign(text=table["text"].mask(table["quantity"] == "top_token", " the"))


def _tidy(prompts: pd.DataFrame, numbers: list[tuple], **of_prompt: float | None) -> pd.DataFrame:
    """Every number of every prompt: 1.0 or a little less, but for the readout's, some of which may not be less."""
    from internal_physics.tables.measure import _TYPES, COLUMNS

    table = prompts.loc[prompts.index.repeat(len(numbers))].reset_index(drop=True).assign(**of_prompt)
    quantities, layers, ranks = zip(*numbers, strict=True)
    times = len(prompts)
    table = table.assign(quantity=quantities * times, layer=layers * times, rank=ranks * times, status="ok", text=None)
    noise = 0.0 if "perplexity" in quantities else 1e-6 * (np.arange(len(table)) % 1000)
    return table.assign(value=1.0 - noise)[list(COLUMNS)].astype(_TYPES)


def _of_weights(name: str, prompts: pd.DataFrame) -> pd.DataFrame:
    """Rows of one set as the rules thermodynamics and phases hand them on."""
    from internal_physics.families.thermodynamics.flags import FLAGS

    if name in ("states", "flags"):
        keys = prompts.loc[prompts.index.repeat(len(WEIGHTS))].reset_index(drop=True)
        table = _filled("thermodynamics", keys, parameter=WEIGHTS * len(prompts), gradient_norm=np.arange(len(keys)))
        keys_and_flags = [*prompts, "parameter", *FLAGS]
        return table[keys_and_flags] if name == "flags" else table.drop(columns=list(FLAGS))
    of_set = prompts.iloc[:1].drop(columns="prompt")
    keys = of_set.loc[of_set.index.repeat(len(WEIGHTS))].reset_index(drop=True)
    if name == "counts":
        return _filled("phase_counts", of_set, kind="query", phase="negative_specific_heat")
    if name == "layers":
        return _filled("phases", keys, parameter=WEIGHTS, phase="change_point")
    return _filled("thermodynamics_means", keys, parameter=WEIGHTS, quantity="temperature")


def _spectra(model: str) -> pd.DataFrame:
    table = _filled("spectra", pd.DataFrame({"model": [model] * len(WEIGHTS)}), parameter=WEIGHTS)
    values = [np.ones(64) for _ in WEIGHTS]
    return table.drop(columns="largest_singular_value").assign(shape=[[64, 64]] * len(WEIGHTS), singular_values=values)


def _filled(name: str, keys: pd.DataFrame, **given: object) -> pd.DataFrame:
    """Rows of a table of the contract with these keys and columns; the others hold something sound."""
    from internal_physics.families.registry import TABLES
    from internal_physics.tables.conform import conform

    sound = {"float64": 1.0, "int64": 1, "bool": False}
    others = {
        column: sound.get(spec.dtype, "ok") for column, spec in TABLES[name].columns.items() if column not in keys
    }
    return conform(keys.assign(**{**others, **given}), TABLES[name])


def _in_own_process(job: str, folder: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.scale_memory", job, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(job: str, folder: Path) -> int:
    from internal_physics.families import registry
    from internal_physics.families.comparison.compare import compare_files
    from internal_physics.families.information.collect_information import collect_information_files
    from internal_physics.families.residual_gain.gains import collect_gains
    from internal_physics.families.residual_gain.hypotheses import gains_with_text, judge_hypotheses
    from internal_physics.families.scores.collect import collect_files
    from internal_physics.families.scores.correlate import correlate_metrics
    from internal_physics.families.thermodynamics.collect_thermodynamics import collect_thermodynamics_files
    from internal_physics.report.build import render_report
    from internal_physics.tables.check_tables import check_tables
    from internal_physics.tables.read import read_table

    scored = registry.scored(registry.METRICS)
    models, tables, beside = _models(folder), folder / "tables", folder / "beside"
    of_model = {name: [str(folder / "thermodynamics" / m / f"{name}.parquet") for m in models] for name in OF_RULES}
    files = [str(folder / "metrics" / metric / m / "baseline.parquet") for m in models for metric in METRICS]
    information = [str(folder / "metrics" / "information" / m / "baseline.parquet") for m in models]
    predictions = [str(folder / "lens" / m / "predictions.parquet") for m in models]
    weights = [str(folder / "weights" / f"{m}.parquet") for m in models]
    with PeakMemory() as memory:
        if job == "collect":
            chunks = collect_files(files, tables / "prompts_read.parquet", scored, **_SETTINGS)
            _write(chunks, tables, "prompts", "layers", "scores")
        elif job == "collect_information":
            _write(collect_information_files(information, predictions), tables, "information", "predictions")
        elif job == "collect_thermodynamics":
            chunks = collect_thermodynamics_files(weights=weights, **of_model)
            names = ("spectra", "thermodynamics", "thermodynamics_means", "phases", "phase_counts")
            _write(chunks, tables, *names)
        elif job == "gains":
            gains = [str(folder / "metrics" / "residual_gain" / m / "baseline.parquet") for m in models]
            _write(collect_gains(gains, tables / "prompts_read.parquet"), beside, "gains")
        elif job == "compare":
            compared = [str(folder / "metrics" / "ec" / m / f"{c}.parquet") for m in models for c in CONDITIONS]
            _write(compare_files(compared, **_SETTINGS), beside, "comparisons")
        elif job == "hypotheses":
            parts = gains_with_text(beside / "gains.parquet", tables / "prompts_read.parquet")
            judge_hypotheses(parts, **_SETTINGS)
        elif job == "correlate":
            read = {
                name: read_table(tables / f"{name}.parquet", registry.TABLES[name]) for name in ("prompts", "scores")
            }
            correlate_metrics(read["prompts"], read["scores"], seed=0, n_resamples=99)
        elif job == "check_tables":
            check_tables(**_asked(tables, models))
        else:
            render_report(**_page(tables, models))
    return memory.above


def _write(chunks: Iterable[tuple[str, pd.DataFrame]], folder: Path, *names: str) -> None:
    from internal_physics.families.registry import TABLES
    from internal_physics.tables.write import write_tables

    outputs = {f"{name}_{kind}": folder / f"{name}.{kind}" for name in names for kind in ("csv", "parquet")}
    write_tables(chunks, outputs, [TABLES[name] for name in names])


def _asked(folder: Path, models: list[str]) -> dict[str, object]:
    from internal_physics.families.registry import TABLES
    from internal_physics.tables.check_tables import parts_of

    paths = {path.stem: str(path) for path in folder.glob("*.parquet")}
    prompts = {name: [f"p{i:03d}" for i in range(SET_SIZE)] for name in SETS}
    runs = [(model, "baseline", SETS) for model in models]
    return {
        "frames": parts_of(paths, TABLES),
        "tables": TABLES,
        "metrics": METRICS,
        "prompts": prompts,
        "runs": runs,
    }


def _page(folder: Path, models: list[str]) -> dict[str, object]:
    from internal_physics.families.registry import FAMILIES, FOLDER, TABLES
    from internal_physics.families.scores.normalize import normalize_scores
    from internal_physics.report.build import NEEDED
    from internal_physics.report.parts import MAX_ROWS
    from internal_physics.report.texts import gather_texts
    from internal_physics.tables.preview import read_previews

    texts = gather_texts(FAMILIES, FOLDER)
    inputs = {path.stem: str(path) for path in folder.glob("*.parquet")}
    tables = read_previews(inputs, TABLES, {*NEEDED, *texts.whole}, MAX_ROWS)
    tables["scores_normalized"] = normalize_scores(tables["scores"])
    made_by = {"versions": {}, "git_revision": "", "created": ""}
    run = {"models": models, "prompt_sets": [], "seed": 0, "provenance": made_by}
    return {"tables": tables, "figures": {}, "run": run, "texts": texts, "template_dir": ROOT / "report"}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
