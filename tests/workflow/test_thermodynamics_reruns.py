"""What reruns: a new prompt no spectrum, a threshold only the phases and what hangs below, nothing when not asked for.

Nothing is computed: outputs are empty files that Snakemake is told are up to date, then a changed config is planned.
"""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMPTS = [{"name": name, "text": "some text"} for name in "abc"]
CONFIG = {
    "models": {"one": {"source": "path:model"}, "two": {"source": "path:model", "quantization": "nf4"}},
    "prompt_sets": {"s": {"prompts": PROMPTS}, "t": {"prompts": PROMPTS}},
    "metrics": ["ec", "isc", "isg", "isa", "isf", "thermodynamics"],
}
BELOW_PHASES = {
    *("phases", "collect_thermodynamics", "phase_map", "state_diagrams", "check_tables", "report", "provenance", "all"),
    *("thermodynamics_profile", "thermodynamics_heatmap"),
}


def snakemake(folder, config, *arguments):
    (folder / "config.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    options = ["--configfile", str(folder / "config.yaml"), "--cores", "1", *arguments]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(folder, config):
    """Rule → number of jobs that a dry run would start."""
    text = snakemake(folder, config, "--dry-run")
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", text, flags=re.MULTILINE) if rule != "total"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which every output of CONFIG is there and up to date."""
    folder = tmp_path_factory.mktemp("run")
    snapshot = folder / "model"
    snapshot.mkdir()
    (snapshot / "config.json").write_text("{}")
    fetched = next(iter(snapshots(folder)))
    fetched.mkdir(parents=True)
    (fetched / "config.json").write_text("{}")
    text = snakemake(folder, CONFIG, "--dry-run", "--verbose")
    for path in re.findall(r"results/[\w./-]+\.\w+", text):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    snakemake(folder, CONFIG, "--touch")
    return folder


def snapshots(folder):
    """Where the workflow wants the model's snapshot."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from internal_physics.config import load_config

    return [folder / "results" / "snapshots" / name for name in load_config(CONFIG).snapshots]


def changed(**sections):
    return {**copy.deepcopy(CONFIG), **sections}


def test_nothing_is_left_to_do(finished):
    assert planned(finished, CONFIG) == {}


def test_a_new_prompt_recomputes_no_spectrum(finished):
    sets = {**CONFIG["prompt_sets"], "t": {"prompts": [*PROMPTS, {"name": "d", "text": "more text"}]}}
    found = planned(finished, changed(prompt_sets=sets))
    assert "spectra" not in found
    assert "singular_spectra" not in found
    assert found["thermodynamics"] == 2
    assert found["record_1_t"] == 2
    assert "record_0_s" not in found


@pytest.mark.parametrize("change", [{"flags": "fixed"}, {"compressibility_sigmas": 2.5}, {"n_permutations": 99}])
def test_a_threshold_recomputes_only_the_phases_and_below(finished, change):
    found = planned(finished, changed(thermodynamics=change))
    assert found["phases"] == 2
    assert set(found) <= BELOW_PHASES


def test_another_order_recomputes_states_and_no_spectrum(finished):
    found = planned(finished, changed(thermodynamics={"order": "name"}))
    assert found["thermodynamics"] == found["phases"] == 2
    assert not {"spectra", "record_0_s", "ec"} & set(found)


def test_rules_of_the_weights_are_off_when_they_are_not_asked_for(tmp_path):
    (tmp_path / "model").mkdir()
    found = planned(tmp_path, changed(metrics=["ec"]))
    assert not {"spectra", "thermodynamics", "phases", "phase_map", "singular_spectra"} & set(found)
    everything = planned(tmp_path, CONFIG)
    assert everything["spectra"] == everything["phases"] == 2
    assert everything["singular_spectra"] == 1
