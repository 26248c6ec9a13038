"""Write a config of many tiny models and prompts: `python -m benchmarks.generate_scale FOLDER --models 8`.

FOLDER gets scale.yaml, one CSV per prompt set and, unless `--without-weights`, tiny random models that it names. Paths
are relative to FOLDER, so run it from there: `snakemake -s REPOSITORY/Snakefile --cores all --configfile scale.yaml`.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import yaml

SET_SIZE = 250  # prompts per set: what ISF costs grows faster than a set, so large runs have many sets
METRICS = ("ec", "isc", "isg", "isa", "isf", "residual_gain", "thermodynamics", "information")
ARCHITECTURES = ("llama", "gpt2")
CONFIG = "scale.yaml"
_ADJECTIVES = ("red", "old", "wet", "big", "shy", "dry", "odd", "new", "hot", "sad")
_NOUNS = ("cat", "dog", "fox", "hen", "pig", "bee", "ant", "cow", "owl", "elk")
_VERBS = ("sat", "ran", "ate", "hid", "won", "dug", "fed", "saw", "met", "let")


def write_scale(
    folder: str | Path,
    *,
    n_models: int,
    n_prompts: int,
    set_size: int = SET_SIZE,
    metrics: Sequence[str] = METRICS,
    weights: bool = True,
) -> Path:
    """Write config, prompts and models.

    Args:
        folder: made if it is missing.
        n_models: of alternating architecture, each with a seed of its own.
        n_prompts: all different, of about ten characters (one token each); up to 100,000.
        set_size: prompts per set; the last set has what is left, at least three.
        metrics: as the config's.
        weights: whether to save the models; without, their folders hold an empty file, which is enough to plan a run.

    Returns:
        The config.

    Raises:
        ValueError: if the last set would be too small for ISF.
    """
    folder = Path(folder)
    sizes = [min(set_size, n_prompts - start) for start in range(0, n_prompts, set_size)]
    if sizes[-1] < 3:
        raise ValueError(f"{n_prompts} prompts in sets of {set_size} leave a set of {sizes[-1]}: ISF needs three")
    folder.mkdir(parents=True, exist_ok=True)
    sets, models = {}, {}
    for number, size in enumerate(sizes):
        name = f"set_{number:03d}"
        write_prompts(folder / f"{name}.csv", texts(size, number * set_size))
        sets[name] = {"file": f"{name}.csv", "weight_gradients": "norms"}
    for number in range(n_models):
        name, place = f"model_{number:03d}", folder / "models" / f"model_{number:03d}"
        _save_model(place, number) if weights else _save_nothing(place)
        models[name] = {"source": f"path:models/{name}"}
    config = {"models": models, "prompt_sets": sets, "metrics": list(metrics), "statistics": {"n_resamples": 999}}
    path = folder / CONFIG
    path.write_text(yaml.safe_dump({**config, "seed": 0}, sort_keys=False), encoding="utf-8")
    return path


def texts(n: int, first: int = 0) -> list[str]:
    """Different short texts, numbers `first` and on: "red cat sat 00"."""
    return [
        f"{_ADJECTIVES[i % 10]} {_NOUNS[i // 10 % 10]} {_VERBS[i // 100 % 10]} {i // 1000:02d}"
        for i in range(first, first + n)
    ]


def write_prompts(path: Path, prompts: Sequence[str]) -> None:
    """A prompt set as CSV, columns name and text."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(["name", "text"])
        writer.writerows((f"p{number:05d}", text) for number, text in enumerate(prompts))


def _save_model(folder: Path, number: int) -> None:
    from tests.tiny_models import save_snapshot

    save_snapshot(folder, ARCHITECTURES[number % len(ARCHITECTURES)], seed=number)


def _save_nothing(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")


def main() -> None:
    """Write what the arguments ask for and say where the config is."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--models", type=int, default=8)
    arguments.add_argument("--prompts", type=int, default=1000)
    arguments.add_argument("--set-size", type=int, default=SET_SIZE)
    arguments.add_argument("--metrics", nargs="+", default=METRICS)
    arguments.add_argument("--without-weights", action="store_true")
    given = arguments.parse_args()
    path = write_scale(
        given.folder,
        n_models=given.models,
        n_prompts=given.prompts,
        set_size=given.set_size,
        metrics=given.metrics,
        weights=not given.without_weights,
    )
    print(path)


if __name__ == "__main__":
    main()
