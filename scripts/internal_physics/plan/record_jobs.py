"""Record jobs: prompt sets split into jobs, each with the files it writes."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from internal_physics.config.conditions import Run
from internal_physics.config.load import PromptSet
from internal_physics.config.prompts import Prompt


@dataclass(frozen=True)
class RecordJob:
    """One record job: a prompt set, or a part of a long one.

    Attributes:
        name: of its rule.
        label: of its log.
        prompt_set: name of the set.
        prompts: the fields that a record depends on (name, text, answer), in order; changing other notes makes no
            record stale.
        weight_gradients: what is kept of them.
        outputs: paths with the wildcards model and condition, in the order of the prompts.
        listing: path of the list of these.
    """

    name: str
    label: str
    prompt_set: str
    prompts: tuple[dict[str, Any], ...]
    weight_gradients: str
    outputs: tuple[str, ...]
    listing: str


def record_jobs(prompt_sets: Iterable[PromptSet], prompts_per_job: int) -> list[RecordJob]:
    """Split every prompt set into jobs of at most `prompts_per_job` prompts."""
    return [
        _job(number, part, prompt_set, prompts)
        for number, prompt_set in enumerate(prompt_sets)
        for part, prompts in enumerate(_chunks(prompt_set.prompts, prompts_per_job))
    ]


def _job(number: int, part: int, prompt_set: PromptSet, prompts: Sequence[Prompt]) -> RecordJob:
    slug = re.sub(r"\W", "_", prompt_set.name)
    label = f"{prompt_set.name}.part{part}"
    return RecordJob(
        name=f"record_{number}_{slug}" + (f"_part{part}" if part else ""),
        label=label,
        prompt_set=prompt_set.name,
        prompts=tuple(run_fields(prompt) for prompt in prompts),
        weight_gradients=prompt_set.weight_gradients,
        outputs=tuple(f"results/tensors/{{model}}/{{condition}}/{prompt_set.name}/{p.name}.parquet" for p in prompts),
        listing=f"results/records/{{model}}/{{condition}}/{label}.sha256",
    )


def run_fields(prompt: Prompt) -> dict[str, Any]:
    """The fields of a prompt that its passes through a model depend on."""
    fields = {"name": prompt.name, "text": prompt.text} | ({"ids": prompt.ids} if prompt.ids else {})
    return fields if prompt.answer is None else fields | {"answer": prompt.answer}


def _chunks(prompts: Sequence[Prompt], size: int) -> Iterator[Sequence[Prompt]]:
    for start in range(0, len(prompts), size):
        yield prompts[start : start + size]


def lost_tensors(runs: Iterable[Run], record_jobs: Sequence[RecordJob]) -> list[str]:
    """Records that are listed but no longer there: they must be requested by name, since rules otherwise request only
    listings.
    """
    return [
        path
        for run in runs
        for job in record_jobs
        if job.prompt_set in run.prompt_sets
        for path in _lost(job, model=run.model, condition=run.condition)
    ]


def _lost(job: RecordJob, **wildcards: str) -> list[str]:
    if not os.path.exists(job.listing.format(**wildcards)):
        return []
    paths = [path.format(**wildcards) for path in job.outputs]
    folder = Path(paths[0]).parent
    there = {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()
    return [path for path in paths if os.path.basename(path) not in there]
