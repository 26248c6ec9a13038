"""From an arm of the config to tables: training, measuring, collecting and gates, on the plainest experiment."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.ground.errors import ConfigError, ModelError, StoreError
from internal_physics.lab.collect import collect_arms, collect_experiment
from internal_physics.lab.experiments.experiment import Gate
from internal_physics.lab.experiments.rows import data as rows_data
from internal_physics.lab.experiments.rows import measures as rows_measures
from internal_physics.lab.gates import gate_row, in_words, write_gates
from internal_physics.lab.measure import measure_training
from internal_physics.lab.tables import LAB_ARMS, LAB_GATES, LAB_TRAINING
from internal_physics.lab.train import loop
from internal_physics.lab.train.job import batches_of, train_arm
from internal_physics.plan.lab_plan import lab_tables
from internal_physics.tables.read import read_table

ROWS = "internal_physics.lab.experiments.rows"
TEXT = "red is a colour\ngreen is a colour\none is a number\ntwo is a number\n"


def arm(file: Path) -> dict:
    return {
        "data": {"file": str(file), "exposures": 20, "rows_per_step": 2},
        "model": asdict(LabModelOptions(layers=1, width=16)),
        "training": asdict(TrainingOptions(snapshots=(0, 20))),
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "rows.txt"
    path.write_text(TEXT)
    return path


def trained(file: Path, folder: Path, seed: int = 0, code: str = "", first_weights: str | None = None) -> Path:
    """Train the arm into a folder as rule lab_train does."""
    train_arm(
        f"{ROWS}.data",
        arm(file),
        name="small",
        seed=seed,
        losses=str(folder / "training.parquet"),
        steps=str(folder / "steps"),
        unfinished=str(folder / "unfinished"),
        threads=1,
        code=code,
        first_weights=first_weights,
    )
    return folder


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory):
    return trained(file, tmp_path_factory.mktemp("whole"))


def losses(folder: Path) -> list[float]:
    return read_table(folder / "training.parquet", LAB_TRAINING)["loss_nats"].tolist()


class TestTraining:
    def test_it_leaves_snapshots_and_losses_and_nothing_else(self, whole):
        assert sorted(path.name for path in whole.iterdir()) == ["steps", "training.parquet"]
        assert sorted(path.name for path in (whole / "steps").iterdir()) == ["0", "20", "40"]
        table = read_table(whole / "training.parquet", LAB_TRAINING)
        assert set(table["arm"]) == {"small"}
        assert table["step"].tolist() == list(range(1, 41))
        assert table["loss_nats"].iloc[-5:].mean() < 0.5 * table["loss_nats"].iloc[0]

    @pytest.fixture
    def seen(self, monkeypatch):
        """Steps whose data was read; the first reading of step 27 ends the job as if it were killed."""
        monkeypatch.setattr(loop, "SECONDS_BETWEEN_STATES", 0.0)
        at, seen = rows_data.RowsBatches.at, []

        def killed(self, step):
            seen.append(step)
            if step == 27 and seen.count(27) == 1:
                raise KeyboardInterrupt
            return at(self, step)

        monkeypatch.setattr(rows_data.RowsBatches, "at", killed)
        return seen

    def test_a_job_that_was_killed_goes_on_to_the_same_losses(self, file, whole, tmp_path, seen):
        with pytest.raises(KeyboardInterrupt):
            trained(file, tmp_path)
        assert not (tmp_path / "steps").exists()
        trained(file, tmp_path)
        assert seen == [*range(28), *range(27, 40)]  # nothing is trained twice
        assert losses(tmp_path) == losses(whole)
        kept = [folder / "steps" / "40" / "model.safetensors" for folder in (whole, tmp_path)]
        assert kept[0].read_bytes() == kept[1].read_bytes()

    def test_other_code_begins_anew(self, file, whole, tmp_path, seen):
        with pytest.raises(KeyboardInterrupt):
            trained(file, tmp_path, code="old")
        trained(file, tmp_path, code="new")
        assert seen == [*range(28), *range(40)]
        assert losses(tmp_path) == losses(whole)


class TestStartingFromAnother:
    def test_it_begins_with_the_last_weights_of_the_other(self, file, whole, tmp_path):
        trained(file, tmp_path, first_weights=str(whole / "steps"))
        last, first = (folder / "model.safetensors" for folder in (whole / "steps" / "40", tmp_path / "steps" / "0"))
        assert first.read_bytes() == last.read_bytes()
        assert losses(tmp_path)[0] < 0.5 * losses(whole)[0]

    def test_one_with_other_words_is_refused(self, whole, tmp_path):
        (tmp_path / "other.txt").write_text(TEXT.replace("red", "blue"))
        with pytest.raises(ModelError, match="its words are others"):
            trained(tmp_path / "other.txt", tmp_path / "job", first_weights=str(whole / "steps"))


class TestRows:
    def test_every_row_is_read_once_an_exposure_in_another_order(self, file):
        batches = batches_of(f"{ROWS}.data", arm(file)["data"], 3)
        read = np.concatenate([batches.at(step).tokens for step in range(batches.steps)])
        assert batches.steps == 40
        exposures = read.reshape(20, 4, -1)
        assert all(np.array_equal(np.unique(rows, axis=0), np.unique(batches.rows, axis=0)) for rows in exposures)
        assert any(not np.array_equal(exposures[0], rows) for rows in exposures[1:])

    @pytest.mark.parametrize(("text", "said"), [(None, "cannot be read"), ("\n \n", "it has no words")])
    def test_a_file_without_rows_is_refused(self, tmp_path, text, said):
        if text is not None:
            (tmp_path / "rows.txt").write_text(text)
        with pytest.raises(ConfigError, match=said):
            batches_of(f"{ROWS}.data", {"file": str(tmp_path / "rows.txt")}, 0)


class TestTables:
    def measured(self, file: Path, folder: Path, output: Path) -> None:
        measure_training(
            f"{ROWS}.experiment",
            arm(file)["data"],
            {},
            arm="small",
            seed=0,
            steps=str(folder / "steps"),
            output=str(output),
            threads=1,
        )

    def test_a_masked_training_is_not_measured_as_a_causal_one(self, file, whole, tmp_path):
        masked = tmp_path / "masked" / "steps"
        shutil.copytree(whole / "steps", masked)
        for config in masked.glob("*/config.json"):
            given = json.loads(config.read_text())
            config.write_text(json.dumps(given | {"reads_both_ways": True}))
        with pytest.raises(ConfigError, match="masked is True"):
            self.measured(file, masked.parent, tmp_path / "m")
        assert not (tmp_path / "m").exists()

    def test_what_is_measured_is_collected(self, file, whole, tmp_path):
        self.measured(file, whole, tmp_path / "m")
        files = {key: str(tmp_path / Path(path).name) for key, path in lab_tables("lab_rows").items()}
        collect_experiment(f"{ROWS}.experiment", [str(tmp_path / "m")], files)
        rows = pd.read_csv(files["lab_rows_csv"])
        assert rows[["arm", "seed", "step"]].values.tolist() == [["small", 0, step] for step in (0, 20, 40)]
        assert rows["loss_nats"].is_monotonic_decreasing
        assert rows["loss_nats"].iloc[-1] == pytest.approx(np.mean(losses(whole)[-4:]), rel=0.2)

    def test_a_measurement_of_other_tables_is_refused(self, file, whole, tmp_path, monkeypatch):
        monkeypatch.setattr(rows_measures, "measure", lambda *_: {"other": pd.DataFrame()})
        with pytest.raises(StoreError, match="it measured other"):
            self.measured(file, whole, tmp_path / "m")

    def test_arms_have_a_row_for_each_training(self, file, whole, tmp_path):
        files = {key: str(tmp_path / Path(path).name) for key, path in lab_tables("lab_training", "lab_arms").items()}
        arms = {"small": {"experiment": "rows", "starts_from": "", **arm(file)}}
        collect_arms([str(whole / "training.parquet")], [str(whole / "steps")], arms, files)
        (row,) = read_table(files["lab_arms_parquet"], LAB_ARMS).to_dict("records")
        assert (row["arm"], row["experiment"], row["steps"]) == ("small", "rows", 40)
        assert row["loss_nats"] == losses(whole)[-1]
        words, norms, attention, mlp = 10 * 16, 3 * 2 * 16, 4 * (16 * 16 + 16), 2 * 16 * 64 + 64 + 16
        assert row["parameters"] == words + norms + attention + mlp
        assert json.loads(row["model"])["width"] == 16


class TestGates:
    @pytest.mark.parametrize(
        ("values", "low", "high", "verdict"),
        [
            ({0: 0.9, 1: 0.8}, 0.8, None, "met"),
            ({0: 0.9, 1: 0.79}, 0.8, None, "missed"),
            ({0: 0.1, 1: 0.3}, None, 0.2, "missed"),
            ({0: 5.0}, None, None, "reported"),
            ({}, 0.8, None, "not measured"),
            ({0: float("nan"), 1: 1.0}, 0.8, None, "not measured"),
        ],
    )
    def test_a_claim_is_met_if_every_seed_is_within_the_bar(self, values, low, high, verdict):
        gate = Gate("junk", "a claim", values, low=low, high=high)
        assert gate.verdict == gate_row(gate)["verdict"] == verdict
        assert in_words(gate).startswith(f"{verdict.upper()}: junk: a claim [")

    def test_the_row_has_mean_and_range_over_seeds(self):
        row = gate_row(Gate("junk", "a claim", {0: 1.0, 1: 4.0}, low=0.5, high=5))
        assert (row["value"], row["low"], row["high"], row["n_seeds"], row["bar"]) == (2.5, 1.0, 4.0, 2, "≥ 0.5, ≤ 5")

    def test_without_experiments_the_table_is_empty(self, tmp_path):
        files = {key: str(tmp_path / Path(path).name) for key, path in lab_tables("lab_gates").items()}
        write_gates({}, {}, files)
        assert read_table(files["lab_gates_parquet"], LAB_GATES).empty
