"""The lab's part of the report: claims of the literature beside what was measured, and figures, by experiment.

An experiment contributes its title, figures and gates, and the texts in its folder; this module knows none by name.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from internal_physics.lab.physics.seen import seen
from internal_physics.lab.physics.tables import LAB_PHYSICS
from internal_physics.lab.tables import LAB_ARMS, LAB_GATES
from internal_physics.lab.verdicts import number_in_words, spread_in_words, tally
from internal_physics.report.images import data_uri, width_inches
from internal_physics.report.lab_texts import LabTexts, gather_lab_texts
from internal_physics.report.page import page_of
from internal_physics.tables.read import read_table

PAGE = "lab_page.html.j2"
PHYSICS_SHOWS = (
    "A column for each arm: what is known and the training loss above, then the quantities that this run measured on "
    "the checkpoints. Shaded is the interval in which most is learned."
)
NO_CAPTION = {"shows": "No caption is written for this figure."}


def read_lab_section(files: Any, experiments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The section of the files that a rule was given; None if there is no lab.

    Args:
        files: a rule's inputs: lab_gates, lab_arms, lab_figures and lab_words, or none of them.
        experiments: name → title, and the names of its figures; in the order of the report.
    """
    if not files.get("lab_gates"):
        return None
    return lab_section(
        gates=read_table(files["lab_gates"], LAB_GATES),
        arms=read_table(files["lab_arms"], LAB_ARMS),
        figures=files.get("lab_figures", ()),
        experiments=experiments,
        texts=gather_lab_texts(files["lab_words"]),
    ) | {"physics": _physics(files.get("lab_physics"))}


def _physics(files: Sequence[str] | None) -> dict[str, Any] | None:
    """What moved when, and its figure; None for a run that measures no checkpoints of the lab."""
    if not files:
        return None
    table, figure = files
    caption = {"title": "The physics of models while they learn", "shows": PHYSICS_SHOWS}
    return {**seen(read_table(table, LAB_PHYSICS)), "figure": _drawn("lab_physics", figure, caption) | {"number": "LP"}}


def render_lab(section: Mapping[str, Any], template_dir: str | Path) -> str:
    """A page of the lab alone, as HTML that loads no other file."""
    return page_of(template_dir, PAGE, {"lab": section})


def lab_section(
    *,
    gates: pd.DataFrame,
    arms: pd.DataFrame,
    figures: Iterable[str | Path],
    experiments: Mapping[str, Mapping[str, Any]],
    texts: LabTexts,
) -> dict[str, Any]:
    """What the template needs of the lab.

    Args:
        gates: table `lab_gates`.
        arms: table `lab_arms`.
        figures: PNG files of the experiments' figures, named like them.
        experiments: name → title, and the names of its figures; in the order of the report.
        texts: what is said about them.

    Raises:
        KeyError: a figure is not among the files.
        FileNotFoundError: it is, and there is no such file.
    """
    files = {Path(path).stem: Path(path) for path in figures}
    shown = [
        {
            "name": name,
            "title": described["title"],
            **_experiment(gates[gates["experiment"] == name], texts.experiments.get(name, {})),
            "figures": [_figure(f, files[f], texts.experiments.get(name, {})) for f in described["figures"]],
            "trainings": _trainings(arms[arms["experiment"] == name]),
        }
        for name, described in experiments.items()
    ]
    numbered = (figure for experiment in shown for figure in experiment["figures"])
    for number, figure in enumerate(numbered, 1):
        figure["number"] = f"L{number}"
    return {**texts.whole, "physics": None, "tally": tally(gates.to_dict("records")), "experiments": shown}


def _experiment(gates: pd.DataFrame, words: Mapping[str, Any]) -> dict[str, Any]:
    """What an experiment asks, its claims, and how they differ from the originals; each difference is said once."""
    notes = list(dict.fromkeys(gates["deviation"].dropna()))
    return {
        "question": words.get("question", ""),
        "limits": words.get("limits", ""),
        "claims": [_claim(claim, notes) for claim in gates.to_dict("records")],
        "notes": notes,
    }


def _claim(claim: Mapping[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """One row: the numbers in words, and which note says how it differs from the original."""
    note = notes.index(claim["deviation"]) + 1 if claim["deviation"] in notes else None
    return {
        **{name: claim[name] for name in ("claim", "bar", "verdict", "is_hard")},
        "value": number_in_words(claim["value"]),
        "unit": "" if claim["unit"] == "1" else claim["unit"],
        "spread": spread_in_words(claim),
        "note": note,
    }


def _figure(name: str, path: Path, words: Mapping[str, Any]) -> dict[str, Any]:
    return _drawn(name, path, words.get("figures", {}).get(name, NO_CAPTION))


def _drawn(name: str, path: str | Path, caption: Mapping[str, str]) -> dict[str, Any]:
    shown = {"file": name, "caption": {"title": name, **caption}, "said": set(), "is_open": True}
    return {**shown, "uri": data_uri(path), "inches": width_inches(path)}


def _trainings(arms: pd.DataFrame) -> list[dict[str, str]]:
    """A row per arm: what its seeds share, and the means of what they do not."""
    return [
        {
            "arm": str(arm),
            "starts_from": rows["starts_from"].iloc[0] or "",
            "seeds": ", ".join(map(str, rows["seed"])),
            **{name: f"{rows[name].iloc[0]:,}" for name in ("parameters", "steps", "tokens")},
            "loss": number_in_words(rows["loss_nats"].mean()),
            "seconds": number_in_words(rows["seconds"].mean()),
            "data": _changed(rows["data"].iloc[0]),
        }
        for arm, rows in arms.groupby("arm", sort=False)
    ]


def _changed(options: str) -> str:
    """Options without their JSON marks, for reading."""
    return json.dumps(json.loads(options)).replace('"', "")
