"""What the report says about the lab: words.yaml in its folder, and in those of its experiments. No pandas."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from internal_physics.ground.strict_yaml import load_yaml

FOLDER = Path(__file__).parents[1] / "lab"
WORDS = "words.yaml"


@dataclass(frozen=True)
class LabTexts:
    """Texts about the lab.

    Attributes:
        whole: title, intro, rule (when a claim is met) and deviations from the published experiments.
        experiments: name → question, limits (what this scale cannot show) and figures (name → caption).
    """

    whole: Mapping[str, Any]
    experiments: Mapping[str, Mapping[str, Any]]


def lab_words_files(experiments: Iterable[str], folder: Path = FOLDER) -> list[Path]:
    """The file about the lab, those of the experiments that have one, and that of the kernels."""
    own = [folder / "experiments" / name / WORDS for name in experiments]
    own.append(folder / "kernels" / WORDS)
    return [folder / WORDS, *(path for path in own if path.is_file())]


def gather_lab_texts(files: Iterable[str | Path]) -> LabTexts:
    """Read the texts of `lab_words_files`.

    Raises:
        FileNotFoundError: for a file that is not there.
    """
    whole, *own = map(Path, files)
    return LabTexts(load_yaml(whole), {path.parent.name: load_yaml(path) for path in own})
