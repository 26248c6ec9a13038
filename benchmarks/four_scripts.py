"""A row of the table: all that the four published scripts compute for the default prompts, their way and ours.

Their way, in simple code of our own: one script after the other, each with a pass of its own through the model for
every prompt, gradients of all weights by autograd, and two singular value decompositions of every weight for every
prompt. Every prompt costs the same, so a few are measured and counted as often as there are prompts. Ours: Snakemake on
the default config with this one model and without steering, up to all tables, which hold intervals and tests besides.
`python -m benchmarks.four_scripts --write docs/measured/four_scripts.yaml` measures this row alone.
"""

import argparse
import datetime
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
import yaml
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from torch.nn import functional

from benchmarks.default_run import machine
from benchmarks.harness import Cost, Row
from benchmarks.subjects import ROOT, load, prompts, snapshot
from benchmarks.thermodynamics import usual as thermodynamics_script

HEAD = "# What `python -m benchmarks.four_scripts --write docs/measured/four_scripts.yaml` printed.\n"
MEASURED = 3  # prompts of the naive way
MODEL = "smollm2-fp32"


def rows() -> list[Row]:
    """CPU time and time on the clock of both ways; SmolLM2-135M in float32."""
    model = load()
    few = prompts(model, "difficulty_spectrum", MEASURED)
    one, n_prompts = naive_cost(model, few), len(default_prompts(model))
    ours = workflow_cost()
    theirs = Cost(one.cpu * n_prompts, one.wall * n_prompts)
    what = f"the four published scripts on the {n_prompts} default prompts, naive way vs. workflow"
    found = []
    for clock, name in (("cpu", "CPU"), ("wall", "on the clock")):
        slow, fast = getattr(theirs, clock), getattr(ours, clock)
        measured = f"{slow / fast:.1f}× ({slow:,.0f} s by {MEASURED} prompts, {fast:,.0f} s)"
        found.append(Row(f"{what}, {name}", "", measured, held=True))
    return found


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="also write the rows to this YAML file")
    given = parser.parse_args()
    table = [["what", "measured"], *([row.what, row.measured] for row in rows())]
    facts = {"machine": machine(), "date": datetime.date.today().isoformat(), "rows": table}
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=200, default_flow_style=None)
    print(text)
    if given.write:
        given.write.write_text(HEAD + text, encoding="utf-8")


def naive_cost(model: LoadedModel, batch: list[Encoded]) -> Cost:
    """Of one prompt, on average, through all four scripts."""
    wall, cpu = time.perf_counter(), time.process_time()
    for script in (gradient_flow_script, thermodynamics_script, lens_script, residual_gain_script):
        script(model, batch)
    return Cost((time.process_time() - cpu) / len(batch), (time.perf_counter() - wall) / len(batch))


def workflow_cost() -> Cost:
    """Of Snakemake and its jobs, the snapshot being there, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "resources", place / "resources")
        (place / "results" / "snapshots").mkdir(parents=True)
        (place / "results" / "snapshots" / snapshot().name).symlink_to(snapshot().resolve())
        config = place / "config.yaml"
        config.write_text(yaml.safe_dump(one_model()), encoding="utf-8")
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "snakemake", *arguments(place, config)], check=True, stdout=sys.stderr)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(cpu, time.perf_counter() - wall)


def arguments(folder: Path, config: Path) -> list[str]:
    """Of Snakemake, for all tables."""
    files = [f"--directory={folder}", f"--snakefile={ROOT / 'Snakefile'}", f"--configfile={config}"]
    return ["--cores=all", "--quiet", *files, "results/tables/checked.txt"]


def one_model() -> dict[str, object]:
    """The default config with one model and without what the published scripts do not have."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    left_out = ("conditions", "reference", "jacobian", "metrics")
    kept = {name: value for name, value in config.items() if name not in left_out}
    published = ["ec", "isc", "isg", "isa", "isf", "residual_gain", "thermodynamics", "information"]
    return kept | {"models": {MODEL: config["models"][MODEL]}, "metrics": published}


def default_prompts(model: LoadedModel) -> list[Encoded]:
    """All prompts of the default config."""
    sets = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["prompt_sets"]
    return [e for name in sets for e in prompts(model, name, sys.maxsize)]


def gradient_flow_script(model: LoadedModel, batch: Iterable[Encoded]) -> None:
    """Gradients of all residuals beside those of all weights, and the relative changes and cosines of neighbours."""
    module = model.module.requires_grad_(True)
    for e in batch:
        module.zero_grad()
        ids = torch.tensor([e.ids])
        output = module(ids, labels=ids, output_hidden_states=True)
        for hidden in output.hidden_states:
            hidden.retain_grad()
        output.loss.backward()
        stream = [hidden.grad.flatten() for hidden in output.hidden_states]
        for below, above in pairwise(stream):
            float((below - above).norm() / (above.norm() + 1e-9))
            float(functional.cosine_similarity(below, above, dim=0))
    module.zero_grad(set_to_none=True)
    module.requires_grad_(False)


@torch.no_grad()
def lens_script(model: LoadedModel, batch: Iterable[Encoded]) -> None:
    """Logits of every residual at every position, one layer after the other, and what they tell."""
    module = model.module
    head = module.get_output_embeddings()
    for e in batch:
        ids = torch.tensor([e.ids])
        output = module(ids, output_hidden_states=True, output_attentions=True)
        for hidden in output.hidden_states:
            log_p = head(module.base_model.norm(hidden))[0].log_softmax(-1)
            entropy = -(log_p.exp() * log_p).sum(-1)
            torch.exp(entropy)
            log_p.topk(10)
            log_p[:-1].gather(1, ids[0, 1:, None])
        for attention in output.attentions or ():
            torch.special.entr(attention).sum(-1).mean()


@torch.no_grad()
def residual_gain_script(model: LoadedModel, batch: Iterable[Encoded]) -> None:
    """Norms of the residuals, their ratios, and the entropy of the next token."""
    for e in batch:
        output = model.module(torch.tensor([e.ids]), output_hidden_states=True)
        norms = torch.stack([hidden.norm() for hidden in output.hidden_states])
        gains = norms[1:] / norms[:-1]
        float(gains.prod())
        p = output.logits[0, -1].softmax(-1)
        float(torch.special.entr(p).sum())
        p.topk(5)


if __name__ == "__main__":
    main()
