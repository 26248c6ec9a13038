"""Every config of the docs, and that of `internal-physics new`, is run with tiny models to its report or results."""

import documented_configs as documented
import pandas as pd
import pytest
import yaml
from made_once import made_once
from one_process import THEN
from snippets import ROOT, in_language
from workflow_runs import in_one_process

LIMIT_S = 900  # the runs take about a minute of one core; a run that hangs ends here and says where it hangs
NEW = (documented.NEW / "config.yaml").read_text(encoding="utf-8")
TEXTS = [*(snippet.text for snippet in in_language("yaml")), NEW]
PAGES = {snippet.text: str(snippet.page.relative_to(ROOT)) for snippet in in_language("yaml")}
RUNS = documented.runs(TEXTS)
# What a run replaces or resolves: see `documented.runnable`; a prompt file becomes its prompts.
REPLACED = {"source", "file", "generate"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folder of the results of each run."""
    folder = made_once(tmp_path_factory, "documented", run_all)
    return [folder / str(number) / "results" for number, _ in enumerate(RUNS)]


def run_all(folder):
    """One run after the other in one process, each in a folder of its own; the workflow is that of this repository."""
    documented.save_models(folder / "models")
    line = []
    for number, run in enumerate(RUNS):
        place = folder / str(number)
        place.mkdir()
        (place / "models").symlink_to(folder / "models")
        documented.save_files(place)
        (place / "my.yaml").write_text(yaml.safe_dump(run.config), encoding="utf-8")
        where = [f"--directory={place}", f"--snakefile={ROOT / 'Snakefile'}", f"--configfile={place / 'my.yaml'}"]
        line += [THEN, "--cores=1", "--scheduler=greedy", *where, "--", *run.targets]
    done = in_one_process(LIMIT_S, line[1:], folder)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]


def table(folder, name):
    return pd.read_parquet(folder / "tables" / f"{name}.parquet")


def run_of(results, *words):
    """Results of the run whose texts have these words."""
    (number,) = [n for n, run in enumerate(RUNS) if all(word in "".join(run.texts) for word in words)]
    return results[number]


def missing(asked, resolved):
    """Parts of a page's config that the resolved config of its run does not have."""
    if not isinstance(asked, dict):
        return [] if asked == resolved else [asked]
    return [
        part
        for key, value in asked.items()
        if key not in REPLACED
        for part in missing(value, (resolved or {}).get(key))
    ]


def test_every_config_is_in_one_run():
    assert sorted(text for run in RUNS for text in run.texts) == sorted(TEXTS)


def test_whole_configs_are_run_to_a_report_with_their_models(results):
    to_report = [(run, folder) for run, folder in zip(RUNS, results, strict=True) if not run.targets]
    pages = {PAGES[run.texts[0]] for run, _ in to_report}
    assert {"README.md", "docs/families/gradient_flow.md", "docs/index.md"} <= pages
    for run, folder in to_report:
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert [name for name in run.config["models"] if f"{name}</" not in page] == []
        assert set(table(folder, "scores")["model"]) == set(run.config["models"])


def test_every_run_made_what_it_is_about_with_the_options_of_its_pages(results):
    for run, folder in zip(RUNS, results, strict=True):
        assert [target for target in run.targets if not (folder.parent / target).is_file()] == []
        resolved = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
        assert [part for text in run.texts for part in missing(yaml.safe_load(text), resolved)] == []


def test_prompts_come_from_file_config_and_template_for_models_of_both_tasks(results):
    own, masked = run_of(results, "from_file"), run_of(results, "made_up")
    assert set(table(own, "prompts_read")["prompt_set"]) == {"from_file", "inline"}
    assert dict(table(own, "models").set_index("model")["dtype"])["mine"] == "bfloat16"
    ran = table(masked, "prompts_read").groupby("model")["prompt_set"].unique().map(set)
    assert dict(ran) == {"bert": {"gaps", "made_up"}, "gpt2": {"plain"}}


def test_options_of_single_pages_act_as_the_page_says(results):
    joined = run_of(results, "reference")
    agreement = table(joined, "agreement_means").query("model == 'smollm2-bf16' and condition == 'baseline'")
    assert set(agreement["reference"]) == {"smollm2"}
    compared = table(joined, "comparisons")
    assert set(compared["condition"]) == {"numbers", "ramp", "happy"}
    assert set(compared[compared["condition"] == "happy"]["model"]) == {"smollm2"}
    assert set(compared["token"].dropna()) == {" happy", " sad"}
    assert set(table(joined, "predictions").groupby(["model", "condition", "prompt"]).size()) == {5}  # top_k
    flow = run_of(results, "isf]")
    assert set(table(flow, "scores")["metric"]) >= {"ec", "isc", "isg", "isa", "isf"}
    assert "residual_gain_whole" not in set(table(flow, "layers")["quantity"])
    assert "residual_gain_whole" in set(table(run_of(results, "[ec, residual_gain]"), "layers")["quantity"])


def test_a_new_page_is_picked_up_or_names_what_it_needs():
    one, two = "seed: 1", "seed: 2"
    assert [run.texts for run in documented.runs([one, two, "reference: a"])] == [(one, "reference: a"), (two,)]
    with pytest.raises(KeyError, match="hf:new/model"):
        documented.runs(["models: {m: {source: 'hf:new/model'}}\nprompt_sets: {}"])


@pytest.mark.parametrize(
    ("script", "limit_s", "said"),
    [("raise SystemExit(3)", 60, "Error in rule"), ("import time; time.sleep(50)", 8, "Timeout")],
    ids=["a job fails", "a job hangs"],
)
def test_a_run_in_one_process_fails_where_a_usual_one_does_and_never_hangs(script, limit_s, said, tmp_path):
    (tmp_path / "job.py").write_text(script, encoding="utf-8")
    (tmp_path / "Snakefile").write_text("rule:\n    output: 'x'\n    script: 'job.py'\n", encoding="utf-8")
    done = in_one_process(limit_s, ["--cores=1", "--scheduler=greedy"], tmp_path)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
