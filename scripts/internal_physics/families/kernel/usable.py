"""The prompts of a kernel that its tables rest on, with their kinds."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.parts import PromptName, TangentKernel, cosine_kernel
from internal_physics.families.kernel.spectrum import PromptMap, eigenvalues, prompt_map
from internal_physics.families.run.notes import is_repeated, of_prompts
from internal_physics.ground.words import plural

_SAME = ("text", "tokens", "target_token")  # of prompts with the same gradient, beside the answer at a [MASK]


@dataclass(frozen=True)
class Usable:
    """A kernel without the prompts that have no direction, and without repeated texts.

    Attributes:
        model, condition: whose records it is of.
        kernel: of the prompts that are left; [N].
        kinds: [N] kind of each prompt, "" where its set gives none.
        left_out: what was left out, in words; "" for nothing.
    """

    model: str
    condition: str
    kernel: TangentKernel
    kinds: NDArray[np.str_]
    left_out: str

    @property
    def key(self) -> dict[str, str]:
        """The columns that say which kernel a row is of."""
        return {"model": self.model, "condition": self.condition, "source": self.kernel.source}

    @property
    def prompts(self) -> tuple[PromptName, ...]:
        """[N]."""
        return self.kernel.prompts

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """[N, N] the kernel over all weights."""
        return self.kernel.matrix()

    @cached_property
    def cosines(self) -> NDArray[np.float64]:
        """[N, N] its cosine kernel."""
        return cosine_kernel(self.matrix)

    @cached_property
    def eigenvalues(self) -> NDArray[np.float64]:
        """[N] of the kernel, in descending order."""
        return eigenvalues(self.matrix)

    @cached_property
    def cosine_eigenvalues(self) -> NDArray[np.float64]:
        """[N] of the cosine kernel, in descending order."""
        return eigenvalues(self.cosines)

    @cached_property
    def map(self) -> PromptMap:
        """The plane of the cosine kernel."""
        return prompt_map(self.cosines)


def usable(of: KernelOf, prompts: pd.DataFrame) -> Usable:
    """The prompts with a finite gradient that is not zero; one that repeats another counts once.

    Args:
        of: a kernel.
        prompts: table `prompts_read`.

    Raises:
        StoreError: for a prompt that `prompts` does not have.
    """
    names = pd.DataFrame(of.kernel.prompts, columns=["prompt_set", "prompt"]).assign(model=of.model)
    notes = of_prompts(names, prompts, [*_SAME, "answer", "kind"])
    squared_norms = of.kernel.squared_norms
    is_finite = np.isfinite(squared_norms) & (squared_norms > 0)
    repeats = np.zeros(len(names), dtype=bool)
    repeats[is_finite] = is_repeated(notes[is_finite], _SAME)
    keep = np.flatnonzero(is_finite & ~repeats)
    reasons = ((~is_finite, "without a finite gradient"), (repeats, "with the text of another one"))
    left_out = "; ".join(f"{plural(int(m.sum()), 'prompt')} {why} left out" for m, why in reasons if m.any())
    kinds = notes["kind"].fillna("").to_numpy(dtype=str)[keep]
    return Usable(of.model, of.condition, part_of(of.kernel, keep), kinds, left_out)


def without_errors(of: Usable) -> Usable:
    """The same estimates without their standard errors, for what does not use them: they take a square of memory."""
    return replace(of, kernel=replace(of.kernel, standard_errors={}))


def part_of(kernel: TangentKernel, keep: NDArray[np.intp]) -> TangentKernel:
    """The kernel of some of its prompts; itself, if these are all."""
    if len(keep) == len(kernel.prompts):
        return kernel
    square = np.ix_(keep, keep)
    return replace(
        kernel,
        prompts=tuple(kernel.prompts[i] for i in keep),
        cells={cell: matrix[square] for cell, matrix in kernel.cells.items()},
        standard_errors={cell: matrix[square] for cell, matrix in kernel.standard_errors.items()},
    )
