"""The contract of every rule: it has a message and a log, shares no path, and is named like its script.

A rule that serves several metrics or tables is checked for each of them: "metric:isf" is a job of rule metric.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
import yaml
from internal_physics.families import registry
from internal_physics.ground.closure import code_checksum, script_files
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.plan.kernel_memory import MOST_PROMPTS_LOCALLY
from rule_code import GENERIC, adapter_of, figures_label, jobs

ROOT = Path(__file__).parents[2]
SCRIPTS, RULE_FILES = ROOT / "scripts", sorted((ROOT / "rules").glob("*.smk"))
LIBRARY = SCRIPTS / "internal_physics"
ADAPTERS = sorted(SCRIPTS.glob("*.py"))
QUICK = "internal_physics.ground.quick_imports"  # is imported for what it does
MAX_STATEMENTS, MAX_LINES = 5, 15  # of an adapter's main block
# Snakemake refuses a benchmark beside `cache:`, which lets several workflows share one download.
WITHOUT_BENCHMARK = {"fetch"}
WITH_TORCH = {"fetch", "derive_direction", "record", "spectra", "information", "jacobian", "lab_train", "lab_measure"}
WITH_TORCH |= {"lab_kernel"}
FOLDERS = {"metric": "metric/", "table": "table/"}  # of their logs
FOLDERS |= {rule: f"{rule}/arm-" for rule in ("lab_train", "lab_measure")}
HEAVY = {"torch", "transformers", "bitsandbytes", "accelerate", "pandas", "pyarrow", "scipy", "matplotlib"}
CODE = jobs()  # label -> script and the module it loads by name


@pytest.fixture(scope="module")
def described(rules):
    """Label of a job -> its own paths and code, and the properties of its rule."""
    return {label: rule | job for rule in rules.values() for label, job in rule["jobs"].items()}


def code_of(label):
    """record_{number}_{prompt set} is one rule per set, with one script."""
    return CODE["record" if label.startswith("record_") else label]


def files_of(label):
    """Library files that a job reaches."""
    script, *named = code_of(label)
    return script_files(SCRIPTS / f"{script}.py", *named)


class TestDirectives:
    def test_every_script_has_a_rule_and_every_metric_and_figure_a_job(self, rules, described):
        assert {adapter_of(name) for name in rules} == {path.stem for path in ADAPTERS}
        assert {label for label in described if not label.startswith("record_")} | {"record"} == set(CODE)

    def test_only_the_target_rules_run_nothing(self, dumped, rules):
        assert set(dumped["rules"]) - set(rules) == {"all", "lab"}

    def test_every_rule_has_a_message(self, rules):
        assert [name for name, rule in rules.items() if not rule["message"]] == []

    def test_every_rule_has_one_log_and_an_existing_environment(self, described):
        for label, job in described.items():
            assert len(job["log"]) == 1, label
            assert (ROOT / "rules" / job["conda"]).exists(), label

    def test_every_rule_has_a_benchmark_except_those_with_a_reason(self, rules):
        assert {name for name, rule in rules.items() if not rule["benchmarked"]} == WITHOUT_BENCHMARK

    def test_every_rule_declares_its_memory(self, rules):
        assert [name for name, rule in rules.items() if "mem_mb" not in rule["resources"]] == []

    @pytest.mark.parametrize("kind", ["log", "benchmark", "outputs"])
    def test_no_two_jobs_share_a_path(self, described, kind):
        paths = [path for job in described.values() for path in job[kind]]
        assert len(paths) >= len(described) - len(WITHOUT_BENCHMARK)
        assert [path for path, n in Counter(paths).items() if n > 1] == []

    def test_paths_lie_in_results_and_carry_the_rules_wildcards(self, described):
        for label, job in described.items():
            assert all(path.startswith("results/") for path in [*job["outputs"], *job["log"]]), label
            wildcards = [set(re.findall(r"{(\w+)", path)) for path in [*job["outputs"], *job["log"], *job["benchmark"]]]
            assert all(found == wildcards[0] for found in wildcards), label

    def test_logs_and_benchmarks_are_named_after_their_rule(self, described):
        for label, job in described.items():
            kind, _, name = label.partition(":")
            folder = FOLDERS.get(kind, "") + re.sub("^figures_", "figures/", name or kind)
            place = "record/" if label.startswith("record_") else re.escape(folder) + r"(/|\.)"
            assert re.match("results/logs/" + place, job["log"][0]), label
            assert all(re.match("results/benchmarks/" + place, path) for path in job["benchmark"]), label


class TestNames:
    def test_a_rule_is_named_like_its_script_unless_it_shares_one(self, rules):
        for name, rule in rules.items():
            assert rule["script"] == f"../scripts/{adapter_of(name)}.py"
        named = {name: script for name in rules if (script := adapter_of(name)) != name and script != "record"}
        drawing = {figures_label(name): "figures" for name in registry.FIGURES}
        drawing |= {f"lab_figures_{name}": "figures" for name, e in EXPERIMENTS.items() if e.figures}
        drawing["lab_figures_physics"] = "figures"
        drawing["lab_figures_kernel"] = "figures"
        collecting = {f"lab_collect_{experiment}": "lab_collect" for experiment in EXPERIMENTS}
        assert named == {"gradient_flow": "metric"} | drawing | collecting
        assert set(named.values()) - {"lab_collect"} == set(GENERIC) - {"table"}

    @pytest.mark.parametrize("script", ADAPTERS, ids=lambda path: path.stem)
    def test_a_script_is_named_after_something_that_it_imports(self, script):
        _, before = main_block(script)
        things = [
            (node.module, alias.name) for node in before if isinstance(node, ast.ImportFrom) for alias in node.names
        ]
        words = [set(re.split(r"[._]", f"{module}.{name}")) for module, name in things]
        assert [found for found in words if set(script.stem.split("_")) <= found | {word.rstrip("s") for word in found}]

    def test_every_metric_is_written_by_one_job_named_after_it_or_its_family(self, described):
        """Metrics computed from the records alone are in metrics.smk; one rule serves those of one module."""
        writers = {name: [] for name in registry.METRICS}
        for label, job in described.items():
            for path in job["outputs"]:
                if found := re.fullmatch(r"results/metrics/(\w+)/{model}/{condition}\.parquet", path):
                    writers[found.group(1)].append(label)
        assert all(len(found) == 1 for found in writers.values())
        alone = {name for name, metric in registry.METRICS.items() if metric.module}
        assert alone == {name for name, (label,) in writers.items() if described[label]["file"] == "metrics.smk"}
        for name, (label,) in writers.items():
            assert label in (name, f"metric:{name}") or described[label]["modules"] == [registry.METRICS[name].module]

    def test_every_figure_is_drawn_in_the_job_of_its_family(self, described):
        for name in registry.FIGURES:
            job = described[figures_label(name)]
            assert [path for path in job["outputs"] if re.match(rf"results/figures/{name}[-.]", path)]
            assert job["file"] == "figures.smk"


def main_block(script):
    """The statements under `if __name__ == "__main__"`, and those before."""
    body = ast.parse(script.read_text(encoding="utf-8")).body
    assert isinstance(body[-1], ast.If), script.name
    assert ast.unparse(body[-1].test) == "__name__ == '__main__'", script.name
    return body[-1], body[:-1]


def params_by_name(block):
    """Names in `{name: snakemake.params[name] for name in (...)}`."""
    for node in ast.walk(block):
        if isinstance(node, ast.DictComp) and ast.unparse(node.value).startswith("snakemake.params["):
            yield from ast.literal_eval(node.generators[0].iter)


def names_in(nodes):
    return {node.id for top in nodes for node in ast.walk(top) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("script", ADAPTERS, ids=lambda path: path.stem)
class TestAdapters:
    def test_a_script_begins_with_its_inputs_and_outputs(self, script):
        docstring = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
        assert re.match(rf"Rule {script.stem}: .+ -> .+\.", docstring)

    def test_only_imports_come_before_the_main_block(self, script):
        _, before = main_block(script)
        assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) for node in before)
        assert "snakemake" not in names_in(before)
        assert "from __future__" not in script.read_text(encoding="utf-8")

    def test_its_first_import_of_the_library_makes_the_others_quick(self, script):
        _, before = main_block(script)
        first, *_ = [
            node for node in before if "internal_physics" in ast.unparse(node) and not isinstance(node, ast.Expr)
        ]
        assert ast.unparse(first) == f"import {QUICK}"

    def test_its_main_block_is_short_and_framed_by_the_job_log(self, script):
        block, _ = main_block(script)
        (frame,) = block.body
        assert isinstance(frame, ast.With)
        assert ast.unparse(frame.items[0]) == "job(snakemake)"
        assert len(frame.body) <= MAX_STATEMENTS
        assert block.end_lineno - block.lineno + 1 <= MAX_LINES

    def test_a_script_uses_exactly_the_params_of_its_rules(self, rules, script):
        """A param that no script reads would rerun the rule needlessly; only `code` exists for that purpose."""
        block, _ = main_block(script)
        for name, rule in rules.items():
            if adapter_of(name) == script.stem:
                named = set(re.findall(r"snakemake\.params\.(\w+)", ast.unparse(block)))
                named |= set(params_by_name(block))
                shown = set(re.findall(r"{params\.(\w+)}", rule["message"]))
                assert "code" in rule["params"]
                assert set(rule["params"]) - {"code"} == named | shown, name

    def test_a_script_uses_everything_that_it_imports(self, script):
        block, before = main_block(script)
        imports = [node for node in before if isinstance(node, ast.Import | ast.ImportFrom)]
        imported = {alias.asname or alias.name for node in imports for alias in node.names}
        assert imported - {QUICK} <= names_in([block])


class TestRuleFiles:
    @pytest.mark.parametrize("path", [p for p in RULE_FILES if p.stem != "common"], ids=lambda path: path.name)
    def test_a_rule_file_begins_with_inputs_and_outputs(self, path):
        head = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        assert all(line.startswith("#") for line in head)
        assert head[0].startswith("# INPUTS   ")
        assert [line for line in head if line.startswith("# OUTPUTS  ")]

    @pytest.mark.parametrize("path", [p for p in RULE_FILES if p.stem != "common"], ids=lambda path: path.name)
    def test_a_rule_file_holds_rules_and_no_functions(self, path):
        assert not re.search(r"^def ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)

    def test_the_snakefile_includes_every_rule_file(self):
        included = re.findall(r'^include: "rules/(\w+\.smk)"', (ROOT / "Snakefile").read_text(), flags=re.MULTILINE)
        assert sorted(included) == [path.name for path in RULE_FILES]


class TestCode:
    def test_every_job_passes_the_checksum_of_its_script_and_of_all_that_it_reaches(self, described):
        for label, job in described.items():
            script, *named = code_of(label)
            assert job["code"] == code_checksum(SCRIPTS / f"{script}.py", *named), label
            assert not job["modules"] or set(job["modules"]) == set(named), label
            assert (script in GENERIC) == bool(job["modules"]), label

    @pytest.mark.parametrize("label", CODE)
    def test_every_library_module_that_a_job_loads_is_in_its_closure(self, loaded, label):
        reached = {path.relative_to(LIBRARY) for path in files_of(label)}
        found = [module.split(".") for module in loaded[label] if module.split(".")[0] == LIBRARY.name]
        assert found
        for _, *parts in found:
            base = LIBRARY.joinpath(*parts)
            file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
            assert file.relative_to(LIBRARY) in reached

    def test_jobs_of_the_analysis_environment_load_no_torch(self, described, loaded):
        light = {label for label, job in described.items() if job["conda"].endswith("analysis.yaml")}
        assert light == {label for label, (script, *_) in CODE.items() if script not in WITH_TORCH}
        assert [name for name in light if {m.split(".")[0] for m in loaded[name]} & {"torch", "transformers"}] == []
        assert "torch" in loaded["record"]

    def test_reading_the_workflow_loads_nothing_heavy(self, dumped):
        assert {module.split(".")[0] for module in dumped["modules"]} & HEAVY == set()


class TestEnvironments:
    ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))

    @pytest.fixture
    def lock(self):
        lines = (ROOT / "requirements.lock").read_text().splitlines()
        pins = [line.split(";")[0].strip() for line in lines if line and not line.startswith(("#", "-"))]
        return {name.lower().replace("_", "-"): version for name, _, version in (pin.partition("==") for pin in pins)}

    @pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
    def test_pinned_versions_equal_those_of_the_lock(self, path, lock):
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
        for pin in pip:
            name, _, version = pin.partition("==")
            assert version == lock[name.lower().replace("_", "-")], pin

    @pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
    def test_every_environment_is_used_and_installs_from_nowhere_else(self, rules, path):
        assert f"../envs/{path.name}" in {rule["conda"] for rule in rules.values()}
        assert yaml.safe_load(path.read_text())["channels"] == ["conda-forge", "nodefaults"]

    @pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
    def test_an_environment_holds_what_its_scripts_import(self, described, path):
        """Third-party packages that the scripts and all library files behind them name in an import."""
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
        installed = {pin.partition("==")[0].lower().replace("-", "_") for pin in pip}
        mine = [label for label, job in described.items() if job["conda"] == f"../envs/{path.name}"]
        assert mine
        files = {SCRIPTS / f"{code_of(label)[0]}.py" for label in mine}
        files |= {file for label in mine for file in files_of(label)}
        named = {name for file in files if file.suffix == ".py" for name in third_party(file)}
        assert named - installed == set()


PACKAGES = {"yaml": "pyyaml", "PIL": "pillow", "pandera": "pandera"}  # import name -> package, where they differ


def third_party(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return {PACKAGES.get(name, name).lower() for name in found - sys.stdlib_module_names - {LIBRARY.name}}


def test_the_linter_of_snakemake_finds_nothing(tmp_path):
    for model in ("llama", "gpt2"):  # the config's local models
        (tmp_path / "results" / "tiny_models" / model).mkdir(parents=True)
    files = [f"--snakefile={ROOT / 'Snakefile'}", f"--configfile={ROOT / 'config' / 'tiny.yaml'}"]
    command = [sys.executable, "-m", "snakemake", "--lint", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class TestSlurmProfile:
    def test_every_rule_is_queued_with_resources_of_its_own_or_runs_on_the_login_node(self, rules):
        """A profile names rules; `record` stands for all rules of recording, whose names depend on the config."""
        mine = {name: "record" if name.startswith("record_") else name for name in rules}
        local = {mine[name] for name, rule in rules.items() if rule["local"]}
        queued = set(yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["set-resources"])
        assert local | queued == set(mine.values())
        assert local & queued <= {"collect_kernel"}  # local where kernels have few prompts

    def test_tables_of_large_kernels_are_made_in_the_queue(self, rules, dump_config):
        prompts = [{"name": f"p{n}", "text": f"number {n}"} for n in range(MOST_PROMPTS_LOCALLY + 1)]
        large = dump_config({"many": {"weight_gradients": "sketch", "prompts": prompts}}, "cluster")["rules"]
        assert rules["collect_kernel"]["local"]
        assert not large["collect_kernel"]["local"]
        changed = {name for name in rules.keys() & large.keys() if rules[name]["local"] != large[name]["local"]}
        assert changed == {"collect_kernel"}

    def test_gpus_are_asked_for_by_the_rules_whose_scripts_need_torch(self):
        asked = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["set-resources"]
        with_gpu = {name for name, resources in asked.items() if "gpu" in resources}
        assert with_gpu == WITH_TORCH - {"fetch"}


class TestShareOfTheMachine:
    @pytest.mark.parametrize(("cores", "threads"), [("1", 1), ("2", 1), ("4", 2), ("16", 8), ("64", 8), ("cluster", 8)])
    def test_two_recording_jobs_share_a_workstation_but_not_a_cluster_node(self, dump, cores, threads):
        rules = dump(cores)["rules"]
        recording = {name: rule for name, rule in rules.items() if adapter_of(name) == "record"}
        assert recording
        assert {rule["threads"] for rule in recording.values()} == {threads}

    @pytest.mark.parametrize("cores", ["1", "16", "cluster"])
    def test_the_lab_has_one_thread_everywhere_because_two_add_in_another_order(self, dump, cores):
        rules = dump(cores)["rules"]
        assert {rules[name]["threads"] for name in ("lab_train", "lab_measure", "lab_kernel")} == {1}

    def test_jobs_side_by_side_fit_into_a_workstations_memory(self, dump):
        assert dump("2")["limits"]["mem_mb"] == psutil.virtual_memory().total // 10**6

    def test_the_memory_of_a_cluster_is_not_that_of_its_login_node(self, dump):
        assert "mem_mb" not in dump("cluster")["limits"]
