"""Kernels with two kinds of prompts, made up, and the table prompts_read that goes with them."""

import numpy as np
import pandas as pd
from internal_physics.families.kernel.collect_kernel import collect_kernel
from internal_physics.families.kernel.kernel_files import KernelOf, write_kernels
from internal_physics.families.kernel.tables import TABLES
from internal_physics.families.kernel.tangent_kernel import Cell, PromptName, TangentKernel
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.conform import conform

KINDS = ("easy", "hard")
LAYERS = (-1, 0, 1, 2)


def made_up_kernel(model="m", condition="baseline", *, n_each=4, seed=0, source="factors", strength=1.0):
    """A kernel whose prompts of one kind share a direction, in every layer but the first."""
    random = np.random.default_rng(seed)
    n = n_each * len(KINDS)
    cells = {}
    for layer in LAYERS:
        shared = np.repeat(random.standard_normal((len(KINDS), 30)), n_each, axis=0)
        rows = random.standard_normal((n, 30)) + (strength * shared if layer >= 0 else 0)
        for kind, part in (("query", rows[:, :10]), ("up", rows[:, 10:])):
            cells[Cell(layer, kind if layer >= 0 else "embedding")] = part @ part.T
    names = tuple(PromptName("s", f"p{i}") for i in range(n))
    errors = {} if source == "factors" else {cell: np.full((n, n), 0.1) for cell in cells}
    return KernelOf(model, condition, TangentKernel(names, cells, source, errors))


def notes_of(*kernels, **texts):
    """Table prompts_read of the prompts of kernels; `texts` gives prompts another text than their name."""
    rows = pd.DataFrame(
        [
            (of.model, name.prompt_set, name.prompt, texts.get(name.prompt, name.prompt), KINDS[i * len(KINDS) // n])
            for of in kernels
            for n in [len(of.kernel.prompts)]
            for i, name in enumerate(of.kernel.prompts)
        ],
        columns=["model", "prompt_set", "prompt", "text", "kind"],
    )
    rows = rows.drop_duplicates(["model", "prompt"], ignore_index=True)
    return rows.assign(tokens=rows["text"], answer=None, target_token=None)


def make_kernels(folder):
    """All tables of an exact kernel."""
    kernel = made_up_kernel()
    return collected(folder, [[kernel]], notes_of(kernel))


def collected(folder, files, notes, n_resamples=99):
    """Name → table; each of `files` is a list of kernels."""
    paths = [folder / f"{i}.parquet" for i in range(len(files))]
    for path, kernels in zip(paths, files, strict=True):
        write_kernels(kernels, path)
    found = {table.name: [] for table in TABLES}
    for name, chunk in collect_kernel(list(map(str, paths)), notes, seed=0, n_resamples=n_resamples):
        found[name].append(chunk)
    empty = {t.name: pd.DataFrame(columns=list(t.columns)) for t in TABLES}
    tables = {t.name: conform(pd.concat(found[t.name] or [empty[t.name]], ignore_index=True), t) for t in TABLES}
    assert {t.name: table_problems(tables[t.name], t) for t in TABLES} == {t.name: [] for t in TABLES}
    return tables
