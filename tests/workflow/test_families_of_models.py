"""Models as people run them today go through the whole workflow: mixtures of experts, latent attention, hybrids."""

import pandas as pd
import pytest
import yaml
from families_of_models import FAMILIES_OF_MODELS, save_family
from made_once import made_once
from workflow_runs import ROOT, in_one_process

CONFIG = "families.yaml"
LIMIT_S = 900  # a run that hangs ends here and says where it hangs
QUANTIZED = ("mixtral", "gpt_oss", "qwen3_next")  # the kinds of blocks; tests/recording tries the others in NF4
WITHOUT_EXPERTS = ("mamba",)
N_EXPERTS = dict.fromkeys(FAMILIES_OF_MODELS, 4) | {"qwen3_moe": 8} | dict.fromkeys(WITHOUT_EXPERTS, 0)
PROMPTS = {"few": "up", "some": "one two", "more": "seven eight nine"}


def config() -> dict:
    models = {
        name: {"source": f"path:models/{name}"} | ({"quantization": "nf4"} if name in QUANTIZED else {})
        for name in FAMILIES_OF_MODELS
    }
    prompts = [{"name": name, "text": text, "kind": "counting", "answer": ","} for name, text in PROMPTS.items()]
    push = {"vector": [1.0, -1.0], "models": ["mixtral"]}
    return {
        "models": models,
        "prompt_sets": {"words": {"weight_gradients": "factors", "prompts": prompts}},
        "conditions": {"push": push},
        "statistics": {"n_resamples": 99},
        "thermodynamics": {"n_permutations": 19},
        "figures": {"formats": ["png"]},
        "seed": 0,
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Results of a finished run of all of them."""

    def make(folder):
        for name in FAMILIES_OF_MODELS:
            save_family(folder / "models" / name, name)
        (folder / CONFIG).write_text(yaml.safe_dump(config(), sort_keys=False), encoding="utf-8")
        where = [f"--directory={folder}", f"--snakefile={ROOT / 'Snakefile'}", f"--configfile={folder / CONFIG}"]
        done = in_one_process(LIMIT_S, ["--cores=1", "--scheduler=greedy", *where], folder)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]

    return made_once(tmp_path_factory, "families_of_models", make) / "results"


@pytest.fixture(scope="module")
def tables(finished):
    return {path.stem: pd.read_parquet(path) for path in (finished / "tables").glob("*.parquet")}


def test_every_model_has_rows_in_every_table_of_models(tables):
    of_pairs = {"model_pairs", "agreement", "agreement_means"}  # of two models, and of others than the reference
    empty = {"phases", "phase_counts"}  # a derivative along depth needs three blocks
    of_experts = {"routing", "expert_loads"}
    for name, table in tables.items():
        if "model" in table and name not in {*of_pairs, *empty, "comparisons"}:
            expected = set(FAMILIES_OF_MODELS) - (set(WITHOUT_EXPERTS) if name in of_experts else set())
            assert set(table["model"]) == expected, name


def test_all_weights_of_every_model_are_covered_and_table_models_says_so(tables):
    models = tables["models"].set_index("model")
    assert (models["weights_covered_share"] == 1.0).all()
    assert models["weights_not_covered"].isna().all()
    assert {m for m in models.index if models.loc[m, "quantization"] == "nf4"} == set(QUANTIZED)
    shares = models["quantized_share"]
    assert ((shares > 0.05) == models.index.isin(QUANTIZED)).all()


@pytest.mark.parametrize("model", FAMILIES_OF_MODELS)
def test_every_expert_has_its_own_spectrum_and_thermodynamics(tables, model):
    spectra = tables["spectra"][lambda t: t["model"] == model]
    experts = spectra[spectra["expert"].notna()]
    for _, rows in experts.groupby(["layer", "kind"]):
        assert sorted(rows["expert"]) == list(range(N_EXPERTS[model]))
        assert (rows["status"] == "ok").all()
        assert rows["weight_norm"].nunique() == len(rows)
    assert bool(len(experts)) == (model not in WITHOUT_EXPERTS)
    states = tables["thermodynamics"][lambda t: (t["model"] == model) & (t["condition"] == "baseline")]
    assert states.groupby("prompt").size().to_dict() == dict.fromkeys(PROMPTS, len(spectra))
    of_experts = states[states["expert"].notna()]
    assert of_experts.loc[of_experts["status"] != "ok", "status"].str.startswith("not reached").all()
    reached = of_experts[of_experts["status"] == "ok"]
    assert (reached["temperature"] > 0).all()
    assert len(reached) > 0 or model in WITHOUT_EXPERTS


def test_short_prompts_leave_experts_out_and_the_rows_say_so(tables):
    states = tables["thermodynamics"]
    idle = states[states["status"].str.startswith("not reached")]
    assert len(idle) > 0
    assert idle[["temperature", "free_energy"]].isna().all(axis=None)
    assert idle["expert"].notna().all()
    means = tables["pulls_means"][lambda t: t["status"].str.startswith("not reached")]
    assert means["mean"].isna().all()


def test_the_report_is_there(finished):
    assert (finished / "report.html").stat().st_size > 100_000
