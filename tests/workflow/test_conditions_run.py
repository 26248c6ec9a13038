"""A whole tiny run: causal and masked models side by side, steered by numbers and by texts; again after a change."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import transformers as T
import yaml
from internal_physics.records.store import read_trace
from safetensors.numpy import load_file
from tiny_models import save_snapshot
from trained_bert import save_trained_bert
from workflow_runs import in_one_process

ROOT = Path(__file__).parents[2]
LIMIT_S = 900


def config(folder):
    return {
        "models": {
            "causal": {"source": f"path:{folder}/causal"},
            "masked": {"source": f"path:{folder}/masked", "task": "masked"},
        },
        "prompt_sets": {
            "texts": {"prompts": [{"name": n, "text": f"{n} cat sat"} for n in ("the", "a", "one")]},
            "gaps": {"task": "masked", "generate": {"sentences": 4, "template": "everyday"}},
        },
        "conditions": {
            "push": {"vector": [1.0, -1.0], "scale": 0.5, "layers": [1]},
            "animal": {
                "contrast": {"positive": ["the cat sleeps", "a dog ran"], "negative": ["the table", "a red door"]},
                "layers": {1: 1.0},
                "models": ["masked"],
            },
        },
        "record": {"weight_gradients": "norms"},
        "information": {"watch": ["a"]},
        "thermodynamics": {"n_permutations": 19},
        "statistics": {"n_resamples": 199},
        "figures": {"formats": ["png"]},
    }


def snakemake(folder, settings, *arguments):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    command = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--configfile", str(path)]
    done = in_one_process(LIMIT_S, [*command, "--cores", "1", *arguments], folder)
    return done.returncode, done.stdout + done.stderr


def save_in_nf4(folder):
    """A checkpoint that is already quantised, which its config says and the run's config does not."""
    plain = save_snapshot(folder.with_name("plain"))
    how = T.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = T.AutoModelForCausalLM.from_pretrained(plain, quantization_config=how, device_map="cpu")
    model.save_pretrained(folder)
    T.AutoTokenizer.from_pretrained(plain).save_pretrained(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_in_nf4(folder / "causal")
    save_trained_bert(folder / "masked")
    code, said = snakemake(folder, config(folder))
    assert code == 0, said[-3000:]
    return folder


def table(run, name):
    return pd.read_parquet(run / "results" / "tables" / f"{name}.parquet")


def test_each_model_ran_the_sets_of_its_task_in_the_conditions_asked_for(run):
    found = set(table(run, "prompts").groupby(["model", "condition", "prompt_set"]).groups)
    assert found == {
        ("causal", "baseline", "texts"),
        ("causal", "push", "texts"),
        ("masked", "baseline", "gaps"),
        ("masked", "push", "gaps"),
        ("masked", "animal", "gaps"),
    }


def test_records_table_run_file_and_report_tell_the_number_formats_that_ran(run):
    ran = {
        "causal": {**{"dtype": "float32", "quantization": "nf4"}, **{"quantization_method": "bitsandbytes", "bits": 4}},
        "masked": {**{"dtype": "float32", "quantization": "none"}, **{"quantization_method": "none", "bits": 32}},
    }
    stored = {"causal": "U8, F32", "masked": "F32"}
    ran = {m: formats | {"compute_dtype": "float32", "stored_as": stored[m]} for m, formats in ran.items()}
    told = yaml.safe_load((run / "results/run.yaml").read_text())
    assert told["provenance"]["models"] == ran
    assert told["models"]["causal"]["quantization"] == "auto"
    rows = table(run, "models").set_index("model")
    record = read_trace(run / "results/tensors/causal/push/texts/the.parquet")
    for name, value in ran["causal"].items():
        assert rows.loc["causal", name] == record.info.labels[name] == value
    page = (run / "results" / "report.html").read_text()
    assert page.count('<span class="fact">quantization <code>nf4</code></span>') == 1
    manifest = json.loads(next((run / "results" / "snapshots").glob("causal-*/snapshot.json")).read_text())
    assert (manifest["quantization"]["name"], manifest["quantization"]["bits"]) == ("nf4", 4)


def test_the_residual_gain_result_of_each_model_holds_the_prompts_that_it_ran(run):
    """Once each model's result asked for the other task's prompts too, and no config with both tasks finished."""
    results = {m: json.loads((run / f"results/residual_gain/{m}.json").read_text()) for m in ("causal", "masked")}
    assert {model: list(result["by_prompt_set"]) for model, result in results.items()} == {
        "causal": ["texts"],
        "masked": ["gaps"],
    }
    assert set(results["causal"]["prompts"]) == set(results["causal"]["results"]) == {"the", "a", "one"}
    assert {model: result["correlation"]["n"] for model, result in results.items()} == {"causal": 3, "masked": 4}


def test_records_say_how_they_were_steered(run):
    tensors = run / "results" / "tensors"
    baseline = read_trace(tensors / "causal/baseline/texts/the.parquet")
    push = read_trace(tensors / "causal/push/texts/the.parquet")
    assert "steering" not in baseline.info.labels
    assert push.info.labels["steering"] == {"vector": [1.0, -1.0], "scale": 0.5, "layers": {"1": 1.0}}
    change = push.residual(1) - baseline.residual(1)
    assert abs(change[:, ::2] - 0.5).max() < 1e-5
    assert (push.residual(0) == baseline.residual(0)).all()
    animal = read_trace(tensors / "masked/animal/gaps/sentence_0001.parquet")
    assert animal.info.task == "masked"
    assert animal.info.labels["steering"]["contrast"]["method"] == "mean_difference"


def test_the_derived_direction_is_one_vector_per_layer(run):
    vectors = load_file(str(run / "results/steering/masked/animal.safetensors"))
    assert {name: v.shape for name, v in vectors.items()} == {f"residual.{layer}": (48,) for layer in range(3)}


def test_comparisons_hold_every_condition_and_the_check_passed(run):
    found = table(run, "comparisons")
    keys = set(found.groupby(["model", "condition"]).groups)
    assert keys == {("causal", "push"), ("masked", "push"), ("masked", "animal")}
    assert {"ec", "relative_gradient_change", "loss_nats", "entropy_nats", "probability"} <= set(found.quantity)
    assert set(found.loc[found.quantity == "probability", "token"]) == {"a"}
    assert found.loc[found.quantity != "probability", "token"].isna().all()
    assert not found.quantity.str.contains("head").any()
    assert "comparisons: " in (run / "results/tables/checked.txt").read_text()


def test_figures_and_report_show_the_conditions(run):
    figures = {path.name for path in (run / "results" / "figures").glob("*.png")}
    kinds = ("difference_distributions", "watched_tokens")
    kinds += tuple(f"{kind}{what}" for kind in ("standard_control", "layer_impact") for what in ("", "_information"))
    assert {f"{kind}-{prompt_set}.png" for kind in kinds for prompt_set in ("texts", "gaps")} <= figures
    page = (run / "results" / "report.html").read_text()
    assert "Condition push: the vector [1.0, -1.0]" in page
    assert "Impact of steering along depth on gaps" in page


def test_generated_prompts_are_written_down(run):
    written = yaml.safe_load((run / "results/prompts/gaps.yaml").read_text())
    assert [p["name"] for p in written["prompts"]] == [f"sentence_000{i}" for i in range(1, 5)]


def test_the_lens_of_each_model_is_that_of_a_prompt_it_ran(run):
    assert {path.name for path in (run / "results" / "figures").glob("lens_heatmap*.png")} == {
        "lens_heatmap-causal.png",
        "lens_heatmap-masked.png",
    }


def test_the_published_run_folder_has_all_conditions(run):
    folder = run / "results" / "information"
    assert sorted(path.name for path in folder.iterdir()) == ["comparative", "control", "standard"]
    rows = pd.read_csv(folder / "comparative/data/push_causal_entropy_nats.csv")
    assert list(rows.columns) == ["sentence", "values"]
    marks = ("standard", "control", "difference", "percent_change")
    assert list(rows.sentence[:4]) == [f"the cat sat ({mark})" for mark in marks]
    standard, control, difference, percent = (json.loads(text) for text in rows["values"][:4])
    assert standard[0] == control[0]  # the intervention is at layer 1
    assert difference[1] == pytest.approx(control[1] - standard[1]) != 0
    assert percent[1] == pytest.approx(100 * difference[1] / abs(standard[1]))
    said = pd.read_csv(folder / "control/predictions/animal_masked_predictions.csv")
    assert list(said.columns) == ["Sentence", "Token", "Probability", "Analysis"]
    assert set(said.Analysis) == {"control"}
    assert len(list((folder / "control/plots").glob("animal_*.png"))) == 6


def test_changing_temperature_or_k_records_nothing(run):
    settings = config(run)
    settings["information"] |= {"temperature": 0.7, "top_k": 3}
    jobs = planned(run, settings)
    assert jobs["information"] == 5
    assert not [name for name in jobs if name.startswith(("record", "derive_direction", "fetch", "gradient_flow"))]


def planned(run, settings):
    """Rule → number of jobs that a dry run would start."""
    code, said = snakemake(run, settings, "results/tables/checked.txt", "results/report.html", "--dry-run")
    assert code == 0, said[-3000:]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", said, flags=re.MULTILINE)}


def test_nothing_changed_nothing_runs_and_a_changed_condition_runs_alone(run):
    settings = config(run)
    assert planned(run, settings) == {}
    settings["conditions"]["push"]["scale"] = 0.7
    jobs = planned(run, settings)
    assert {name: n for name, n in jobs.items() if name.startswith(("record", "derive_direction", "fetch"))} == {
        "record_0_texts": 1,
        "record_1_gaps": 1,
    }
    settings = config(run)
    settings["conditions"]["animal"]["contrast"]["positive"].append("a bird")
    jobs = planned(run, settings)
    assert jobs["derive_direction"] == jobs["record_1_gaps"] == 1
    assert "record_0_texts" not in jobs


def test_what_does_not_fit_is_refused_before_the_first_pass_with_its_place(run):
    settings = config(run)
    settings["conditions"] = {
        "wide": {"vector": [0.1] * 40, "layers": [1]},
        "deep": {"vector": [1.0], "layers": [9]},
    }
    targets = [f"results/tensors/causal/{condition}/texts/the.parquet" for condition in settings["conditions"]]
    code, said = snakemake(run, settings, "--retries=0", "--keep-going", *targets)
    assert code != 0
    assert "conditions → wide → vector: 40 numbers" in said
    assert "conditions → deep → layers: there is no layer 9" in said
    assert not [path for path in targets if (run / path).exists()]


def test_a_wrong_config_stops_at_once_with_its_place(run):
    settings = config(run)
    settings["conditions"]["animal"] = {"file": "nowhere.pt"}
    code, said = snakemake(run, settings, "--dry-run")
    assert code != 0
    assert "conditions → animal → file: there is no file nowhere.pt" in said
