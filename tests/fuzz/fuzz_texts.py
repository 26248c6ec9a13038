"""Texts that a user writes: configs, prompts, templates, hookpoints. A result is compared with another parser's."""

import csv
import io
import json

import yaml
from damage import meaning_damaged
from fuzz_kinds import Kind
from internal_physics.config.conditions import HOOKPOINT_COLUMNS, files_behind, read_hookpoints
from internal_physics.config.generate import generate, read_grammar
from internal_physics.config.load import check_duplicate_keys, load_config
from internal_physics.config.prompts import read_prompts
from internal_physics.plan.run_plan import RunPlan

PROMPTS = [
    {"name": "a", "text": "the cat", "kind": "animal", "difficulty": "easy"},
    {"name": "b-2", "text": 'a "b", c\nd é 日本', "kind": "other", "expectation": "x", "reason": "y"},
    {"name": "null", "text": "1 2 3", "kind": "animal"},
]
CONFIG = {
    "models": {
        "m": {"source": "path:m", "dtype": "bfloat16"},
        "n": {"source": "hf:o/n@v1", "quantization": "nf4", "compute_dtype": "float32"},
    },
    "prompt_sets": {
        "s": {"prompts": PROMPTS, "weight_gradients": "factors"},
        "g": {"generate": {"template": "everyday", "sentences": 3, "seed": 1}},
    },
    "conditions": {
        "push": {"vector": [1.0, -0.5], "scale": 2, "layers": {"0": 1.0, "1": 0.5}, "models": ["m"]},
        "pull": {"contrast": {"positive": ["a", "b"], "negative": ["c", "d"], "method": "mean_difference"}},
    },
    "metrics": ["ec", "isf", "residual_gain", "information"],
    "record": {"batch_size": 4, "top_k": 5},
    "information": {"lens_prompt": "s/a"},
    "statistics": {"n_resamples": 99},
    "seed": 0,
}
TEMPLATE = {
    "templates": [{"text": "the {a} is {b}.", "gap": "b"}, {"text": "{b} {c}", "gap": "c"}],
    "fillers": {"a": ["x", "y"], "b": ["red", "blue"], "c": ["one", "two"]},
}
HOOKPOINT = ["sparsify", "add", "coders", "layers.0", "3", "1.5"]


def _yaml(content):
    return yaml.safe_dump(content, allow_unicode=True).encode("utf-8", "surrogatepass")


def _writer(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _yaml_meaning(content):
    return meaning_damaged(yaml.safe_load(content)).map(_yaml)


def _parsed(path):
    return yaml.safe_load(path.read_text(encoding="utf-8-sig"))


def _read_config(path):
    check_duplicate_keys([str(path)])
    given = _parsed(path)
    config = load_config(given, str(path))
    plan = RunPlan(config)
    assert set(plan.models) == set(given["models"])
    assert plan.all_listings()
    again = load_config(config.resolved(), str(path))
    assert again.prompt_sets == config.prompt_sets
    assert again.conditions == config.conditions
    _require_kept(given, config.raw)


def _require_kept(given, kept):
    """Every value of the file must be in the checked config, except for another spelling (dtypes)."""
    for key, value in given.items():
        if isinstance(value, dict):
            _require_kept(value, kept[key])
        elif not key.endswith("dtype") and key != "provenance":
            assert json.dumps(kept[key]) == json.dumps(value), key


def _as_given(prompts, entries):
    assert [prompt.to_json() for prompt in prompts] == [{k: v for k, v in e.items() if v} for e in entries]


def _read_prompts_yaml(path):
    prompts, given = read_prompts(path), _parsed(path)
    _as_given(prompts, given["prompts"] if isinstance(given, dict) else given)


def _read_prompts_csv(path):
    prompts = read_prompts(path)
    rows = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
    _as_given(prompts, [row for row in rows if any((cell or "").strip() for cell in row.values())])


def _csv(rows):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _csv_meaning(content):
    """Cells, rows and columns of other content, number and order."""
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    return meaning_damaged(rows).map(_as_rows).map(_csv)


def _as_rows(found):
    rows = found if isinstance(found, list) else [[found]]
    return [row if isinstance(row, list) else [row] for row in rows]


def _read_template(path):
    grammar, given = read_grammar(str(path)), _parsed(path)
    words = {word for fillers in given["fillers"].values() for word in fillers}
    for task in ("causal", "masked"):
        prompts = generate(grammar, sentences=2, task=task, seed=0)
        assert len({prompt.text for prompt in prompts}) == 2
        assert all(prompt.answer is None or prompt.answer in words for prompt in prompts)


def _read_hookpoints(path):
    rows = read_hookpoints(path, str(path))
    assert files_behind(path) == [str(path)]
    found = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
    given = [{k: v for k, v in row.items() if k and v} for row in found]
    assert [row for _, row in rows] == [row for row in given if any(map(str.strip, row.values()))]


_COLUMNS = ("name", "text", "kind", "difficulty", "expectation", "reason")
_PROMPT_ROWS = [_COLUMNS, *([p.get(column, "") for column in _COLUMNS] for p in PROMPTS)]
_HOOKPOINT_ROWS = [("loader", "action", *HOOKPOINT_COLUMNS), HOOKPOINT, HOOKPOINT]

KINDS = (
    Kind("run config", _writer("run.yaml", _yaml(CONFIG)), _read_config, _yaml_meaning),
    Kind("prompts YAML", _writer("p.yaml", _yaml({"prompts": PROMPTS})), _read_prompts_yaml, _yaml_meaning),
    Kind("prompts CSV", _writer("p.csv", _csv(_PROMPT_ROWS)), _read_prompts_csv, _csv_meaning),
    Kind("template YAML", _writer("t.yaml", _yaml(TEMPLATE)), _read_template, _yaml_meaning, named=("generate",)),
    Kind("hookpoints CSV", _writer("h.csv", _csv(_HOOKPOINT_ROWS)), _read_hookpoints, _csv_meaning),
)
