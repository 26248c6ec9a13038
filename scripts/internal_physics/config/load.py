"""The config: validated against config/schema.yaml, defaults written in, prompts read; before any work.

No heavy imports: the Snakefile calls this while it is parsed.
"""

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from internal_physics.config.checkpoints import with_checkpoints
from internal_physics.config.chosen import chosen_prompts
from internal_physics.config.conditions import Condition, Run, parse_conditions, plan_runs
from internal_physics.config.generate import generate, read_grammar
from internal_physics.config.lab import LabArm, lab_arms, refuse_unknown_trainings
from internal_physics.config.options.record import refuse_unused_token
from internal_physics.config.prompts import Prompt, parse_prompts, read_prompts
from internal_physics.config.texts import given_text_options, refuse_chats
from internal_physics.config.validate import check_options
from internal_physics.ground.errors import ConfigError, PromptError
from internal_physics.ground.names import MASK
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.ground.suggest import did_you_mean
from internal_physics.models.options import SPELLED
from internal_physics.models.sources import Source, parse_source


@dataclass(frozen=True)
class PromptSet:
    """A prompt set as the workflow runs it.

    Attributes:
        text: the TextOptions that it sets itself; the others come from the model.
    """

    name: str
    prompts: tuple[Prompt, ...]
    weight_gradients: str
    task: str = "causal"
    text: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """A checked config.

    Attributes:
        raw: the resolved mapping, every default written in.
        sources: model name → where it comes from.
        prompt_sets: set name → its prompts.
        conditions: name → steering intervention; without the baseline.
        runs: every model in every condition, with the prompt sets it is recorded on.
        arms: name → training of the lab.
    """

    raw: dict[str, Any]
    sources: dict[str, Source]
    prompt_sets: dict[str, PromptSet]
    conditions: dict[str, Condition]
    runs: tuple[Run, ...]
    arms: dict[str, LabArm] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """Model name → its options."""
        return self.raw["models"]

    @property
    def snapshots(self) -> dict[str, Source]:
        """Snapshot name → source; models that differ only in precision share one."""
        return {source.snapshot: source for source in self.sources.values()}

    @property
    def reference(self) -> str | None:
        """The model that the others are compared with; None: the first that can be compared."""
        return self.raw.get("reference")

    @property
    def score_scale(self) -> str | None:
        """Table `scores` of a finished run that sets the scale of the normalised scores; None for this run's own."""
        return self.raw.get("score_scale")

    def lens_prompt(self, model: str) -> tuple[str, str]:
        """Set and name of the prompt whose lens is drawn: the one asked for, else the first that the model runs."""
        own = [s for s in self.prompt_sets.values() if s.task == self.models[model]["task"]]
        prompt_set, _, prompt = self.raw["information"]["lens_prompt"].partition("/")
        if prompt and prompt_set in [s.name for s in own]:
            return prompt_set, prompt
        return own[0].name, own[0].prompts[0].name

    @property
    def jacobian_prompts(self) -> dict[str, tuple[Prompt, ...]]:
        """Prompt set → its prompts whose blocks are linearised."""
        return _jacobian_prompts(self, "")

    def text_options(self, model: str, prompt_set: str | None = None) -> dict[str, Any]:
        """How a text becomes tokens of a model: TextOptions by name; those of the prompt set override the model's."""
        own = {} if prompt_set is None else self.prompt_sets[prompt_set].text
        return given_text_options(self.models[model]) | own

    def resolved(self) -> dict[str, Any]:
        """The config with its prompts written out: enough to replay the run, whatever happens to the prompt files."""
        raw = copy.deepcopy(self.raw)
        for name, prompt_set in self.prompt_sets.items():
            prompts = [prompt.to_json() for prompt in prompt_set.prompts]
            kept = {"weight_gradients": prompt_set.weight_gradients, "task": prompt_set.task}
            raw["prompt_sets"][name] = {"prompts": prompts, **kept, **prompt_set.text}
        return raw


def load_config(raw: Mapping[str, Any], where: str = "config") -> Config:
    """Validate a config mapping and read its prompts.

    Args:
        raw: as Snakemake or YAML gives it; not changed.
        where: the file's name, for messages.

    Raises:
        ConfigError: what was found, where, what was expected.
        PromptError, SourceError: the same for prompts and sources.
    """
    if not isinstance(raw, Mapping):
        found = "it is empty" if raw is None else f"found {raw!r:.100}"
        todo = "`internal-physics new DIR` writes a config to start from"
        raise ConfigError(found, where=where, expected="a mapping with `models` and `prompt_sets`", todo=todo)
    resolved = copy.deepcopy(dict(raw))
    resolved.pop("provenance", None)
    spell_dtypes(resolved)
    check_options(resolved, where)
    resolved["models"] = with_checkpoints(resolved["models"], f"{where}: models")
    for kind in ("models", "prompt_sets", "conditions"):
        _refuse_clashing_names(resolved[kind], f"{where}: {kind}")
    sources = {name: _source(options, f"{where}: models → {name}") for name, options in resolved["models"].items()}
    arms = lab_arms(resolved["lab"], f"{where}: lab")
    _refuse_clashing_names(arms, f"{where}: lab → arms")
    refuse_unknown_trainings(sources, arms, where)
    sets = {name: _prompt_set(name, options, resolved, where) for name, options in resolved["prompt_sets"].items()}
    conditions = parse_conditions(resolved["conditions"], list(sources), list(sets), f"{where}: conditions")
    runs = plan_runs(
        {name: options["task"] for name, options in resolved["models"].items()},
        {name: prompt_set.task for name, prompt_set in sets.items()},
        conditions,
        where,
    )
    refuse_chats(resolved["models"], {name: prompt_set.text for name, prompt_set in sets.items()}, runs, where)
    config = Config(resolved, sources, sets, conditions, runs, arms)
    record = resolved["record"]
    refuse_unused_token(record["target"], record["target_token"], f"{where}: record → target_token")
    _refuse_unknown_prompt(config, where)
    _jacobian_prompts(config, where)
    _refuse_unknown_reference(config, where)
    _refuse_missing_scale(config, where)
    return config


def check_duplicate_keys(paths: list[str]) -> None:
    """Refuse config files that give a key twice; plain YAML would silently keep the second value.

    Raises:
        ConfigError: naming file, key and line.
    """
    for path in paths:
        load_yaml(path)


def spell_dtypes(raw: Mapping[str, Any]) -> None:
    """Write number formats of models as options spell them, in place: fp16 and torch.float16 are float16."""
    models = raw.get("models")
    for options in models.values() if isinstance(models, Mapping) else ():
        if isinstance(options, dict):
            options |= {name: spelled(options[name]) for name, spelled in SPELLED.items() if name in options}


def _refuse_clashing_names(entries: Mapping[str, Any], where: str) -> None:
    clashing = [name for name, n in Counter(name.lower() for name in entries).items() if n > 1]
    if clashing:
        raise ConfigError(
            f"two names differ only in case: {clashing[0]!r}",
            where=where,
            expected="names that stay different on any file system",
            todo="rename one",
        )


def _source(options: Mapping[str, Any], where: str) -> Source:
    keys = ("file", "sha256", "allow_pickle", "trust_remote_code", "adapter")
    return parse_source(options["source"], where=where, **{key: options[key] for key in keys})


def _prompt_set(name: str, options: Mapping[str, Any], config: Mapping[str, Any], where: str) -> PromptSet:
    place = f"{where}: prompt_sets → {name}"
    if "file" in options:
        prompts = read_prompts(options["file"], where=f"{place} → ")
    elif "generate" in options:
        prompts = _generated(options, config["seed"], f"{place} → generate")
    else:
        prompts = parse_prompts(options["prompts"], where=place)
    if options["task"] == "masked":
        _refuse_wrong_masks(prompts, place)
    kept = options.get("weight_gradients", config["record"]["weight_gradients"])
    return PromptSet(name, tuple(prompts), kept, options["task"], given_text_options(options))


def _generated(options: Mapping[str, Any], seed: int, where: str) -> list[Prompt]:
    wanted = options["generate"]
    grammar = read_grammar(wanted["template"], where)
    return generate(
        grammar, sentences=wanted["sentences"], task=options["task"], seed=wanted.get("seed", seed), where=where
    )


def _refuse_wrong_masks(prompts: list[Prompt], where: str) -> None:
    for prompt in prompts:
        if not prompt.ids and (n_masks := prompt.text.count(MASK)) != 1:
            raise PromptError(
                f"{n_masks} masks in {prompt.text!r}",
                where=f"{where}: prompt {prompt.name!r}",
                expected=f"exactly one {MASK}, since the set's task is masked",
                todo=f"write the gap as {MASK}",
            )


def _jacobian_prompts(config: Config, where: str) -> dict[str, tuple[Prompt, ...]]:
    sets = {name: prompt_set.prompts for name, prompt_set in config.prompt_sets.items()}
    return chosen_prompts(config.raw["jacobian"]["prompts"], sets, f"{where}: jacobian → prompts")


def _refuse_unknown_prompt(config: Config, where: str) -> None:
    asked = config.raw["information"]["lens_prompt"]
    known = [f"{s.name}/{prompt.name}" for s in config.prompt_sets.values() for prompt in s.prompts]
    if asked and asked not in known:
        raise ConfigError(
            f"there is no prompt {asked!r}",
            where=f"{where}: information → lens_prompt",
            expected="set/name of a prompt of this config",
            todo=did_you_mean(asked, known, otherwise=f"name one of {', '.join(known[:5])}"),
        )


def _refuse_unknown_reference(config: Config, where: str) -> None:
    if config.reference is None or config.reference in config.models:
        return
    raise ConfigError(
        f"there is no model {config.reference!r}",
        where=f"{where}: reference",
        expected=f"one of {', '.join(config.models)}",
        todo=did_you_mean(config.reference, config.models, otherwise="name a model of this config"),
    )


def _refuse_missing_scale(config: Config, where: str) -> None:
    if config.score_scale is None or (config.score_scale.endswith(".parquet") and Path(config.score_scale).is_file()):
        return
    raise ConfigError(
        f"there is no such table: {config.score_scale!r}",
        where=f"{where}: score_scale",
        expected="results/tables/scores.parquet of a finished run, kept under another name",
        todo="copy that file from the run whose models set the scale, or remove the option",
    )
