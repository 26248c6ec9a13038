"""Real runs of the workflow on a copy of its working tree, so that tests may edit code, config and models.

Jobs are counted by label: a rule's name, or "metric:isf", "table:routing" where one rule serves several.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from internal_physics.config.load import load_config
from internal_physics.families import registry
from internal_physics.families.family import Per
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.plan.run_plan import RunPlan
from rule_code import FROM_RECORDS, WITH_NOTES, figures_label

ROOT = Path(__file__).parents[2]
TREE = ("Snakefile", "config.yaml", "config", "envs", "profiles", "report", "resources", "rules", "scripts")
CONFIG = "config/tiny.yaml"
_ASKED = load_config(load_yaml(ROOT / CONFIG))
MODELS, SETS, METRICS = tuple(_ASKED.models), tuple(_ASKED.prompt_sets), tuple(_ASKED.raw["metrics"])
PROMPTS = {name: tuple(p.name for p in prompt_set.prompts) for name, prompt_set in _ASKED.prompt_sets.items()}
_PLAN = RunPlan(_ASKED)
TABLES = tuple(_PLAN.tables)
FIGURES = {per: tuple(_PLAN.figures(per)) for per in Per}
SCORES = tuple(registry.score_names(METRICS))  # thermodynamics' also by kind of map
RECORDS = tuple(f"record_{number}_{name}" for number, name in enumerate(SETS))
RUN_LIMIT_S = 900  # a hanging run ends with the place of every thread
TOKEN = "hf_planted_and_never_to_be_seen"


def figures_of(*tables: str) -> set[str]:
    """Labels of the jobs that draw a figure from these tables."""
    drawn = (name for per in Per for name in FIGURES[per] if set(tables) & set(registry.FIGURES[name].tables))
    return {figures_label(name) for name in drawn}


# Jobs whose rows follow from the records alone, and what hangs below a rule, itself left out.
FLOW = ("ec", "isc", "isg", "isa")
OF_RECORDS = FROM_RECORDS
END = {"check_tables", "provenance", "report", "explorer"}
BELOW_SCORES = {"normalize", "correlate", *figures_of("scores", "scores_normalized", "correlations"), *END}
BELOW_COLLECT = {*BELOW_SCORES, *figures_of("prompts", "layers")}
BELOW_PAIRS = {"model_pairs", "findings", *figures_of("model_pairs")}
BELOW_METRICS = {"collect", *BELOW_COLLECT, "table:isf_spectra", *figures_of("isf_spectra"), *BELOW_PAIRS}
BELOW_ROUTING = {"table:routing", "table:expert_loads", *figures_of("expert_loads"), *END}
BELOW_NOTES = {*WITH_NOTES, "findings"}
BELOW_GAINS = {"hypotheses", "findings", "residual_gain_result", *figures_of("gains", "hypotheses"), *END}
WEIGHT_TABLES = ("spectra", "thermodynamics", "thermodynamics_means", "phases", "phase_counts")
BELOW_PHASES = {"collect_thermodynamics", "findings", *figures_of(*WEIGHT_TABLES), *END}
BELOW_STATES = {"phases", *BELOW_PHASES, "pulls", *figures_of("pulls_means")}
BELOW_AGREEMENT = {"collect_agreement", "findings", *figures_of("agreement_means"), *END}
BELOW_KERNEL = {"collect_kernel", *figures_of(*(name for name in TABLES if name.startswith("kernel"))), *END}
BELOW_LENS = {"figures_information", "information_package"}  # the package holds its figures
BELOW_INFORMATION = {
    *("collect_information", "information_package", "decided", "findings"),
    *figures_of("information", "predictions", "decided"),
    *BELOW_LENS,
    *END,
}
BELOW_RECORDS = {
    *OF_RECORDS,
    *("prompts_read", "run_tables", *BELOW_NOTES),
    *BELOW_METRICS,
    *("gains", *BELOW_GAINS),
    *BELOW_STATES,
    *BELOW_ROUTING,
    *BELOW_AGREEMENT,
    *BELOW_KERNEL,
    *BELOW_INFORMATION,
}


class Refused(Exception):
    """Snakemake ended with an error; the message is all it said."""


@dataclass(frozen=True)
class Plan:
    """What Snakemake would run, or has run.

    Attributes:
        jobs: label → number of jobs.
        text: all that Snakemake said.
    """

    jobs: Counter[str]
    text: str

    @property
    def labels(self) -> set[str]:
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
        rules = Counter({rule: int(count) for rule, count in rows if rule != "all"})
        jobs = Counter({rule: n for rule, n in rules.items() if not is_generic(rule)})
        jobs.update(labels_of_generic_jobs(text).values())
        assert jobs.total() == rules.total(), "a job of a generic rule does not say what it makes"
        return Plan(_apart_from_the_manifest(jobs), text)

    def run(self, *targets: str, cores: int = 2, config: str = CONFIG) -> Plan:
        """Run, and return what was run."""
        return what_was_run(self.snakemake(*targets, cores=cores, config=config))

    def run_in_one_process(self, *targets: str, config: str = CONFIG) -> Plan:
        """Like `run` on one core, and cheaper; see `one_process`. The files are the same, see TestReplay.

        Raises:
            Refused: if it ends with an error.
        """
        done = in_one_process(RUN_LIMIT_S, ["--cores", "1", f"--configfile={config}", *targets], self.folder)
        text = done.stdout + done.stderr
        if done.returncode:
            raise Refused(text)
        return what_was_run(text)

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


def what_was_run(text: str) -> Plan:
    """The finished jobs among all that Snakemake said."""
    labels = labels_of_generic_jobs(text)
    done = set(re.findall(r"Finished jobid: (\d+) \(Rule: (\w+)\)", text))  # said twice where output and log are one
    jobs = Counter(labels[job] if is_generic(rule) else rule for job, rule in done if rule != "all")
    return Plan(_apart_from_the_manifest(jobs), text)


def _apart_from_the_manifest(jobs: Counter[str]) -> Counter[str]:
    """Without rule manifest, which runs after every change of the config: see TestManifest."""
    return Counter({label: n for label, n in jobs.items() if label != "manifest"})


def is_generic(rule: str) -> bool:
    """Whether a rule serves several metrics or tables."""
    return rule in ("metric", "table")


def labels_of_generic_jobs(text: str) -> dict[str, str]:
    """Number of a job → label, from the messages: "isf of a, baseline", "Making the table a"."""
    metrics = re.findall(r"^Job (\d+): (\w+) of \S+, \S+$", text, flags=re.MULTILINE)
    tables = re.findall(r"^Job (\d+): Making the table (\w+)$", text, flags=re.MULTILINE)
    kinds = {"metric": metrics, "table": tables}
    return {job: f"{kind}:{name}" for kind, found in kinds.items() for job, name in found}


def command(*arguments: str, cores: int = 2, config: str = CONFIG) -> list[str]:
    """Snakemake as a user calls it; the default profile is found by itself."""
    return [sys.executable, "-m", "snakemake", "--cores", str(cores), f"--configfile={config}", *arguments]


def in_one_process(limit_s: float, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Snakemake with these arguments, its jobs one after the other in its own process; see `one_process`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / "one_process.py"), str(limit_s), *arguments],
        cwd=folder,
        env=environment() | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=limit_s + 60,
    )


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
