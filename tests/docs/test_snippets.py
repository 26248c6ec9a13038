"""Every command and Python block of README and docs works, here with tiny models; configs: test_documented_configs."""

import shlex
import shutil
import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from internal_physics.cli import commands
from internal_physics.docs.marks import handwritten
from internal_physics.docs.pages import pages
from snippets import DRY_RUN, NOT_RUN, ROOT, RUN, SNIPPETS, in_language, read_snippets
from workflow_runs import copy_working_tree, environment

HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
(HAPPY,) = (s for s in in_language("text") if s.text.startswith("contrast:"))  # a file that a command names
RECORDS = ("smollm2-nf4/baseline/ipb_probes/probe_1", "smollm2-fp32/baseline/factual/factual_01")


def by_id(snippets):
    return pytest.mark.parametrize("snippet", snippets, ids=lambda snippet: snippet.id)


def test_every_block_is_of_a_language_that_is_tested_here():
    assert {snippet.language for snippet in SNIPPETS} == {"sh", "python", "yaml", "text"}
    assert [s.id for s in SNIPPETS if s.language in ("python", "yaml") and s.how != RUN] == []


def test_no_block_is_overlooked():
    for page in pages(ROOT):
        lines = handwritten(page.read_text(encoding="utf-8")).splitlines()
        fences = [line for line in lines if line.strip().startswith("```")]
        assert len(fences) == 2 * len(read_snippets(page)), page.name


def test_a_block_that_is_not_run_gives_a_reason(tmp_path):
    page = tmp_path / "page.md"
    for note, how in [("dry run, because it takes long", DRY_RUN), ("not run, because of a cluster", NOT_RUN)]:
        page.write_text(f"<!-- test: {note} -->\n```sh\nls\n```\n", encoding="utf-8")
        assert [s.how for s in read_snippets(page)] == [how]
    page.write_text("<!-- test: skip -->\n```sh\nls\n```\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'skip' is no note"):
        read_snippets(page)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository with the models and configs that the pages assume."""
    tree = copy_working_tree(tmp_path_factory.mktemp("commands") / "tree")
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "mkdocs.yml"):
        shutil.copy2(ROOT / name, tree.path(name))
    shutil.copytree(ROOT / "benchmarks", tree.path("benchmarks"))
    tree.path("tests").mkdir()
    shutil.copy2(ROOT / "tests" / "tiny_models.py", tree.path("tests"))
    for name in ("llama", "gpt2"):  # tests/tiny_models.py fills them
        tree.path(f"results/tiny_models/{name}").mkdir(parents=True)
    tree.path(".venv").symlink_to(sys.prefix)
    (first, *_) = [s for s in in_language("yaml") if s.page.name == "README.md"]
    model = tree.path("my-model")
    model.mkdir()
    tree.path("my.yaml").write_text(first.text.replace("/data/my-model", str(model)), encoding="utf-8")
    return tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with everything that the pages name: a small model, a record, a table."""
    import internal_physics as ip
    import torch
    import transformers
    from tiny_models import N_VOCABULARY, build_tokenizer

    folder = tmp_path_factory.mktemp("python")
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 12, "num_attention_heads": 4}
    config = transformers.LlamaConfig(vocab_size=N_VOCABULARY, **shape, pad_token_id=0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder / HUB_NAME)
    build_tokenizer().save_pretrained(folder / HUB_NAME)
    trace = ip.record(ip.load(str(folder / HUB_NAME)), "One two three")
    for record in RECORDS:
        ip.write_trace(trace, folder / f"results/tensors/{record}.parquet")
    metadata = {"unit": "in column unit", "meaning": "mean"}
    schema = pa.schema(
        [("model", pa.string()), ("metric", pa.string()), pa.field("value", pa.float64(), metadata=metadata)]
    )
    (folder / "results" / "tables").mkdir()
    scores = pa.table({"model": ["m"], "metric": ["ec"], "value": [1.0]}, schema)
    pq.write_table(scores, folder / "results/tables/scores.parquet")
    scores.to_pandas().to_csv(folder / "results/tables/scores.csv", index=False)
    models = pa.table({"model": ["smollm2-nf4"], "n_parameters": [7], "quantization": ["none"]})
    pq.write_table(models, folder / "results/tables/models.parquet")
    for name, rows in {"layers": _layer_rows(), **_answers()}.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"results/tables/{name}.parquet")
    (folder / "results/findings.json").write_text('[{"sentence": "No model differs."}]', encoding="utf-8")
    return folder


def _layer_rows():
    of = {"model": "smollm2-nf4", "condition": "baseline", "prompt_set": "ipb_probes", "value": 0.5, "status": "ok"}
    return [
        of | {"prompt": prompt, "layer": layer, "quantity": quantity}
        for prompt in ("probe_1", "probe_2")
        for layer in range(3)
        for quantity in ("relative_gradient_change", "gradient_cosine")
    ]


def _answers():
    """Tables that answer the three questions; tests/workflow/test_three_questions.py has those of a run."""
    of = {"model": "smollm2-nf4", "condition": "baseline", "prompt_set": "factual", "mean": 0.5, "status": "ok"}
    return {
        "agreement_means": [of | {"quantity": "gradient_cosine", "layer": layer} for layer in range(3)],
        "decided_means": [of | {"quantity": "settled_layer", "kind": "all kinds"}],
    }


OWN = "internal-physics "  # its commands are run in this process, in the folder of the Python blocks


def is_own(snippet):
    return all(command.startswith(OWN) for command in snippet.commands())


class TestOwnCommands:
    @by_id([s for s in in_language("sh") if s.how == RUN and is_own(s)])
    def test_they_run(self, snippet, folder, monkeypatch, capsys):
        monkeypatch.chdir(folder)
        (folder / "happy.yaml").write_text(HAPPY.text, encoding="utf-8")
        for command in snippet.commands():
            _, verb, *rest = shlex.split(command)
            status = commands.main([verb, *rest])
            out, err = capsys.readouterr()
            assert status == 0 or (verb == "doctor" and "To be fixed" in out), err
            assert out

    def test_every_command_is_on_the_page(self):
        shown = {shlex.split(c)[1] for s in in_language("sh") for c in s.commands() if c.startswith(OWN)}
        assert shown == {*commands.COMMANDS, "run"}


class TestCommands:
    @by_id([s for s in in_language("sh") if s.how == RUN and not is_own(s)])
    def test_commands_run(self, snippet, tree):
        for command in snippet.commands():
            self.run(command, tree)

    @by_id([s for s in in_language("sh") if s.how == DRY_RUN])
    def test_long_commands_are_planned(self, snippet, tree):
        for command in snippet.commands():
            program = shlex.split(command)[0]
            assert program == "make" or "snakemake" in program, f"{command}: there is no dry run of it"
            self.run(f"{command} {'--just-print' if program == 'make' else '--dry-run'}", tree)

    @staticmethod
    def run(command, tree):
        done = subprocess.run(
            command, shell=True, cwd=tree.folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_commands_for_a_cluster_are_those_of_the_slurm_tests(self):
        tested = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "slurm").glob("*.py"))
        skipped = [s for s in in_language("sh") if s.how == NOT_RUN and "SLURM" not in s.text]
        (cancel,) = {c.split("   #")[0].strip() for s in skipped for c in s.commands() if "scancel" in c}
        assert cancel in tested


class TestPython:
    @pytest.mark.parametrize("page", sorted({s.page for s in in_language("python")}), ids=lambda page: page.name)
    def test_blocks_run_one_after_the_other(self, page, folder, monkeypatch):
        monkeypatch.chdir(folder)
        names = {}
        for snippet in in_language("python"):
            if snippet.page == page:
                exec(compile(snippet.text, snippet.id, "exec"), names)
        used = Counter(name for name in names if not name.startswith("__"))
        assert used
