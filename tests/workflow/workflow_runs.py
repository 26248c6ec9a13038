"""Real runs of the workflow on a copy of its working tree, so that tests may edit code, config and models."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TREE = ("Snakefile", "config.yaml", "config", "envs", "profiles", "report", "resources", "rules", "scripts")
CONFIG = "config/tiny.yaml"
MODELS, SETS = ("tiny-llama", "tiny-gpt2"), ("counting", "words")
METRICS = ("ec", "isc", "isg", "isa", "isf")
WEIGHT_SCORES = ("temperature", "entropy_nats", "energy", "free_energy")  # each also by kind of map
WEIGHT_TABLES = ("spectra", "thermodynamics", "thermodynamics_means", "phases", "phase_counts")
TABLES = (
    *("scores", "scores_normalized", "prompts", "layers", "isf_spectra", "correlations", "gains", "hypotheses"),
    *WEIGHT_TABLES,
    *("information", "predictions"),
)
WEIGHT_FIGURES = ("thermodynamics_profile", "thermodynamics_heatmap", "state_diagrams", "phase_map")
FIGURES = ("radar", "layer_profiles", "layer_heatmap", "isf_spectrum", *WEIGHT_FIGURES)  # one for each prompt set
INFORMATION_FIGURES = ("information_profiles", "information_metric", "lens_heatmap", "token_trajectories")
RECORDS = tuple(f"record_{number}_{name}" for number, name in enumerate(SETS))
TOKEN = "hf_planted_and_never_to_be_seen"

# What hangs below a rule, itself left out.
BELOW_TABLES = {
    *("check_tables", "provenance", "report", "correlation_matrix", "gain_panels"),
    *(figure for figure in FIGURES if figure not in WEIGHT_FIGURES),
}
BELOW_METRICS = {"collect", "normalize", "correlate", *BELOW_TABLES}
BELOW_GAINS = {"hypotheses", "residual_gain_result", "gain_heatmap"}  # beside what also hangs below other metrics
BELOW_WEIGHTS = {"collect_thermodynamics", *WEIGHT_FIGURES}
BELOW_STATES = {"phases", *BELOW_WEIGHTS}
BELOW_INFORMATION = {"collect_information", "publish", "check_tables", "provenance", "report", *INFORMATION_FIGURES}
BELOW_RECORDS = {
    *(*METRICS, *BELOW_METRICS, "residual_gain", "gains", *BELOW_GAINS, "thermodynamics", *BELOW_STATES),
    *("information", *BELOW_INFORMATION),
}


class Refused(Exception):
    """Snakemake ended with an error; the message is all it said."""


@dataclass(frozen=True)
class Plan:
    """What Snakemake would run, or has run.

    Attributes:
        jobs: rule → number of jobs.
        text: all that Snakemake said.
    """

    jobs: Counter[str]
    text: str

    @property
    def rules(self) -> set[str]:
        return set(self.jobs)

    def records(self) -> set[tuple[str, str]]:
        """(model, prompt set) of every record job, from the rules' messages."""
        return set(re.findall(r"Recording (\S+) on (\S+):", self.text))

    def fetched(self) -> set[str]:
        return set(re.findall(r"Fetching (\S+)-[0-9a-f]{8}", self.text))


@dataclass(frozen=True)
class Tree:
    """A working tree in which the workflow is run."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def copy(self, destination: Path) -> "Tree":
        """This tree with all results, dates and Snakemake's own records."""
        shutil.copytree(self.folder, destination, symlinks=True)
        return Tree(destination)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.path(name)
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, name: str, line: str) -> None:
        with self.path(name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def plan(self, *targets: str, config: str = CONFIG) -> Plan:
        """What a run would do, by a dry run."""
        text = self.snakemake("--dry-run", *targets, config=config)
        table = re.search(r"Job stats:\n.*?\n-+ .*?\n(.*?)\ntotal ", text, flags=re.DOTALL)
        rows = [line.split() for line in table.group(1).splitlines()] if table else []
        jobs = Counter({rule: int(count) for rule, count in rows if rule != "all"})
        return Plan(jobs, text)

    def run(self, *targets: str, cores: int = 2, config: str = CONFIG) -> Plan:
        """Run, and return what was run."""
        text = self.snakemake(*targets, cores=cores, config=config)
        rules = re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", text)
        return Plan(Counter(rule for rule in rules if rule != "all"), text)

    def snakemake(self, *arguments: str, cores: int = 2, config: str = CONFIG) -> str:
        """All that Snakemake says.

        Raises:
            Refused: if it ends with an error.
        """
        done = subprocess.run(
            command(*arguments, cores=cores, config=config),
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stdout)
        return done.stdout


def command(*arguments: str, cores: int = 2, config: str = CONFIG) -> list[str]:
    """Snakemake as a user calls it; the default profile is found by itself."""
    return [sys.executable, "-m", "snakemake", "--cores", str(cores), f"--configfile={config}", *arguments]


def environment() -> dict[str, str]:
    """Offline, with a token that must show up nowhere, and threads as Snakemake sets them."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "PYTHONPATH"))}
    return inherited | {"HF_HUB_OFFLINE": "1", "HF_TOKEN": TOKEN}


def copy_working_tree(destination: Path) -> Tree:
    """The repository's working tree without results."""
    destination.mkdir(parents=True)
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, destination / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy2(ROOT / name, destination / name)
    return Tree(destination)
