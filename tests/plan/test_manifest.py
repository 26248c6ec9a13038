"""Outputs of another config are never mistaken for those of the current one."""

from pathlib import Path

import pytest
from internal_physics.plan.manifest import strangers, write_manifest

OWN = ["results/tables/scores.csv", "results/figures/radar-s.png", "results/information/standard"]
OF_RUN = ["results/report.html", "results/run.yaml"]
OTHERS = [
    *("results/tables/gains.csv", "results/figures/radar-other.png", "results/prompts/old.yaml"),
    *("results/information/control/happy.csv", "results/residual_gain/m.json", "results/thermodynamics/m.csv"),
]
SHARED = [
    *("results/tensors/m/baseline/s/a.parquet", "results/metrics/ec/m/baseline.parquet"),
    *("results/thermodynamics/m/baseline/means.parquet", "results/snapshots/m/config.json"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [*OWN[:2], f"{OWN[2]}/plots/a.png", *OF_RUN, *OTHERS, *SHARED, "results/tables/.scores.csv@h@1.tmp"]:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    return tmp_path


def test_only_files_that_the_config_does_not_make_are_moved_aside(folder, caplog):
    write_manifest(OWN, "a" * 64, OF_RUN)
    for name in OTHERS:
        aside = Path(name.replace("results/", "results/aside/", 1))
        assert not Path(name).exists()
        assert aside.read_text() == name
    for name in [*OWN[:2], f"{OWN[2]}/plots/a.png", *SHARED, *OF_RUN, "results/tables/.scores.csv@h@1.tmp"]:
        assert Path(name).read_text() == name
    (said,) = caplog.messages
    assert said.startswith(f"{len(OTHERS)} outputs of another config were moved to results/aside: ")
    assert said.endswith(", …") and said.count(",") == 3
    lines = Path("results/manifest.txt").read_text().splitlines()
    assert lines[1:] == [f"# config: {'a' * 64}", *OWN]


def test_the_report_of_another_config_is_moved_and_that_of_the_same_config_stays(folder):
    write_manifest(OWN, "a" * 64, OF_RUN)
    write_manifest(OWN[:1], "a" * 64, OF_RUN)
    assert all(Path(name).exists() for name in OF_RUN)
    Path("results/manifest.txt").unlink()  # as Snakemake does before the job
    write_manifest(OWN, "b" * 64, OF_RUN)
    assert not any(Path(name).exists() for name in OF_RUN)
    assert all(Path(name.replace("results/", "results/aside/", 1)).read_text() == name for name in OF_RUN)


def test_a_file_moved_later_replaces_one_of_the_same_name(folder):
    write_manifest(OWN, "a" * 64, OF_RUN)
    Path(OTHERS[0]).write_text("later")
    write_manifest(OWN, "a" * 64, OF_RUN)
    assert Path("results/aside/tables/gains.csv").read_text() == "later"
    assert strangers(OWN) == []


def test_an_empty_folder_has_no_files_of_other_configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert strangers([]) == []
    write_manifest([], "a" * 64, OF_RUN)
    assert Path("results/manifest.txt").exists()


def test_a_single_file_that_was_moved_is_named_with_its_place(folder, caplog):
    write_manifest([*OWN, *OTHERS[1:]], "a" * 64, OF_RUN)
    assert caplog.messages == ["an output of another config was moved to results/aside/tables/gains.csv"]
