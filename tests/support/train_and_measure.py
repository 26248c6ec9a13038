"""Train and measure an arm of `knowledge` as rules lab_train and lab_measure do: a program of `test_reproducible`."""

import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from internal_physics.config.options.lab_biographies import Augmentation
from internal_physics.config.options.lab_knowledge import KnowledgeData, KnowledgeMeasures
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.lab.measure import measure_training
from internal_physics.lab.train.job import train_arm

EXPERIMENT = "internal_physics.lab.experiments.knowledge"
DATA = KnowledgeData(
    people=24, exposures=12, texts_per_row=2, rows=6, augmentation=Augmentation(texts=2, permutations=1)
)
MODEL = LabModelOptions(width=32, heads=2)
MEASURES = KnowledgeMeasures(steps=12, probe_steps=4)
OF_TIME = "seconds"  # the only column that may differ


def main(folder: Path) -> None:
    """Write snapshots, and every number of the tables in full as CSV."""
    arm = {
        "data": asdict(DATA),
        "model": asdict(MODEL),
        "training": asdict(TrainingOptions(snapshots=(0, 12), device="cpu")),
    }
    train_arm(
        f"{EXPERIMENT}.data",
        arm,
        name="arm",
        seed=0,
        losses=str(folder / "losses.parquet"),
        steps=str(folder / "steps"),
        unfinished=str(folder / "unfinished"),
        threads=1,
    )
    measure_training(
        f"{EXPERIMENT}.experiment",
        arm["data"],
        asdict(MEASURES),
        arm="arm",
        seed=0,
        steps=str(folder / "steps"),
        output=str(folder / "measured"),
        threads=1,
    )
    for file in [folder / "losses.parquet", *(folder / "measured").iterdir()]:
        table = pd.read_parquet(file).drop(columns=OF_TIME, errors="ignore")
        table.to_csv(file.with_suffix(".csv"), index=False, float_format="%.17g")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
