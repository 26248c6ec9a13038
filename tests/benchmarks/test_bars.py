"""What the benchmarks of peers and of the published scripts say, from made-up costs; and what they are run on."""

import re
import time
from pathlib import Path

import pytest
import yaml
from internal_physics.config.load import load_config
from snakemake.cli import get_argument_parser

from benchmarks import four_scripts
from benchmarks.harness import Cost
from benchmarks.peers import __main__ as peers
from benchmarks.peers.attempts import Attempts

ROOT = Path(__file__).parents[2]
NAMES = (*peers.STATES, *peers.GRADIENTS, *peers.SPECTRA)


def pins(path):
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_a_ratio_that_has_to_be_large_is_held_above_its_bar_and_one_that_has_to_be_small_below():
    costs = {name: [Cost(2.0, 3.0)] for name in NAMES} | {"bergson": [Cost(1.0, 6.0)], "none": [Cost(2.2, 9.0)]}
    head, *rows = peers.bars(costs)
    assert head == ["what", "bar", "measured", "held"]
    found = {row[0].split(",")[0]: row[1:] for row in rows}
    assert found["record `none` against the bare pass"] == ["≤ 1.08×", "1.10×", "no"]
    assert found["sketches against bergson's index of the same size"] == ["≥ 1.5×", "2.00×", "yes"]  # on the clock
    assert found["spectra against WeightWatcher"] == ["≥ 5×", "1.00×", "no"]


def test_costs_are_given_by_prompt_with_what_is_captured_and_what_is_not():
    costs = {name: [Cost(1.0, 9.0), Cost(2.0, 4.0), Cost(3.0, 5.0)] for name in NAMES}
    head, first, *_ = peers.cells(peers.STATES, costs, 4, "a prompt")
    assert head == ["who", "CPU, a prompt", "clock, a prompt", "captures", "does not"]
    assert first == ["bare pass", "0.5 s", "1.25 s", "nothing", "everything: this is the floor"]


def test_a_peer_that_takes_too_long_is_a_row_with_its_status_and_the_others_are_measured():
    runs = {name: lambda: None for name in NAMES} | {"WeightWatcher": lambda: time.sleep(5)}
    attempts = Attempts(0.05)
    for run in (*attempts.limited(runs).values(), *attempts.limited(runs).values()):
        run()
    assert attempts.stopped == {"WeightWatcher": "stopped after 0.05 s"}
    costs = attempts.finished({name: [Cost(1.0, 1.0)] for name in NAMES})
    *_, spectra = peers.bars(costs, attempts.stopped)
    assert spectra[1:] == ["≥ 5×", "WeightWatcher stopped after 0.05 s", "not measured"]
    _, ours, theirs = peers.cells(peers.SPECTRA, costs, 1, "a model", attempts.stopped)
    assert ours[1:3] == ["1 s", "1 s"]
    assert theirs[:3] == ["WeightWatcher", "stopped after 0.05 s", ""]


def test_the_workflow_is_asked_for_its_tables_with_the_config_of_one_model(tmp_path):
    given = get_argument_parser().parse_args(four_scripts.arguments(tmp_path, tmp_path / "config.yaml"))
    assert given.targets == ["results/tables/checked.txt"]
    assert given.configfile == [tmp_path / "config.yaml"]


@pytest.mark.parametrize("package", ["torch", "transformers", "numpy"])
def test_peers_run_on_the_versions_that_ours_is_locked_to(package):
    assert pins("benchmarks/peers/requirements.txt")[package] == pins("requirements.lock")[package]


def test_every_peer_is_pinned():
    assert {name.lower() for name in pins("benchmarks/peers/requirements.txt")} >= set(peers.PEERS)


def test_the_published_scripts_are_compared_with_the_default_prompts_of_one_model():
    asked = load_config(four_scripts.one_model())
    default = load_config(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))
    assert list(asked.models) == [four_scripts.MODEL] and not asked.conditions
    assert {n: len(s.prompts) for n, s in asked.prompt_sets.items()} == {
        n: len(s.prompts) for n, s in default.prompt_sets.items()
    }
