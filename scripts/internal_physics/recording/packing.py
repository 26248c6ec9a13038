"""Packing: linear maps work on the real tokens of a batch only, so that padding costs them nothing.

A batch of short and long prompts is mostly padding, and linear maps are nearly all of a model's arithmetic. They act
on each token alone, so leaving padding out changes no real token; attention still sees the padded batch and its mask.

Index conventions: b prompt, t token of the padded batch, n real token, prompt by prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.weak import WeakTensorKeyDictionary

from internal_physics.recording.arrays import to_device

Rows = TypeVar("Rows", torch.Tensor, np.ndarray)


@dataclass(frozen=True)
class Group:
    """Neighbouring prompts that are padded to the longest of them: first and last + 1, and its number of tokens."""

    first: int
    end: int
    n_tokens: int


class Packing:
    """Between a padded batch [b, t, …] and its real tokens [n, …].

    Args:
        lengths: number of real tokens of each prompt [b]; padding is on the right.
        n_tokens: t, the padded length.
    """

    def __init__(self, lengths: Sequence[int], n_tokens: int) -> None:
        self.shape = (len(lengths), n_tokens)
        self.starts = [sum(lengths[:b]) for b in range(len(lengths) + 1)]
        places = [b * n_tokens + t for b, length in enumerate(lengths) for t in range(length)]
        self._places = torch.tensor(places)
        self._groups: dict[float, list[Group]] = {}
        # Dropped together with the padded tensor; packed again if that tensor was changed in place.
        self._packed: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @property
    def is_needed(self) -> bool:
        """Whether there is any padding."""
        return self.starts[-1] < self.shape[0] * self.shape[1]

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """[b, t, i] (or flattened [b·t, i]) → [n, i]; maps that share an input get the very same tensor."""
        version, packed = self._packed.get(tensor, (None, None))
        if packed is None or version != tensor._version:
            flat = tensor.reshape(-1, tensor.shape[-1])
            packed = flat if not self.is_needed else flat.index_select(0, self._on(tensor.device))
            self._packed[tensor] = (tensor._version, packed)
        return packed

    def forget(self) -> None:
        """Pack everything again from now on: a recomputed block needs its own graph."""
        self._packed.clear()

    def unpack(self, packed: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """[n, o] → `shape` ([b, t, o] or [b·t, o]); zero at padding."""
        padded = packed.new_zeros((self.shape[0] * self.shape[1], packed.shape[-1]))
        return padded.index_copy(0, self._on(packed.device), packed).view(shape)

    def by_prompt(self, packed: torch.Tensor) -> torch.Tensor:
        """[n, …] → [b, t, …], zero (False) at padding. All rows [1, n, …] where there is one prompt."""
        n_prompts = self.shape[0]
        if n_prompts == 1 or not self.is_needed:
            return packed.reshape(n_prompts, -1, *packed.shape[1:])
        padded = packed.new_zeros((self.shape[0] * self.shape[1], *packed.shape[1:]))
        return padded.index_copy(0, self._on(packed.device), packed).view(*self.shape, *packed.shape[1:])

    def of_prompt(self, packed: Rows, b: int) -> Rows:
        """The real tokens of prompt b: [n, …] → [t_b, …], a view. All rows where it is the only prompt."""
        if self.shape[0] == 1:
            return packed
        return packed[self.starts[b] : self.starts[b + 1]]

    def prompts(self, device: torch.device) -> torch.Tensor:
        """[n], the prompt of each real token."""
        return self._on(device) // self.shape[1]

    def groups(self, most_padding: float) -> list[Group]:
        """Prompts that follow each other, as many together as cost at most `most_padding` times their work alone.

        The work is that of the inner products of all tokens of a prompt. Infinity puts all into one group.
        """
        if most_padding not in self._groups:
            self._groups[most_padding] = self._grouped(most_padding)
        return self._groups[most_padding]

    def _grouped(self, most_padding: float) -> list[Group]:
        groups: list[Group] = []
        work = 0
        for b in range(self.shape[0]):
            n_tokens = self.starts[b + 1] - self.starts[b]
            last = groups[-1] if groups else Group(0, 0, 0)
            longest = max(last.n_tokens, n_tokens)
            if groups and (b + 1 - last.first) * longest**2 <= most_padding * (work + n_tokens**2):
                groups[-1] = Group(last.first, b + 1, longest)
                work += n_tokens**2
            else:
                groups.append(Group(b, b + 1, n_tokens))
                work = n_tokens**2
        return groups

    def of_group(self, packed: torch.Tensor, group: Group) -> torch.Tensor:
        """The prompts of a group: [n, …] → [b, t, …], zero at padding. All rows where there is one prompt."""
        n_prompts = group.end - group.first
        if n_prompts == self.shape[0]:
            return self.by_prompt(packed)
        rows = packed[self.starts[group.first] : self.starts[group.end]]
        if len(rows) == n_prompts * group.n_tokens:
            return rows.view(n_prompts, group.n_tokens, *rows.shape[1:])
        own = [packed[self.starts[b] : self.starts[b + 1]] for b in range(group.first, group.end)]
        return pad_sequence(own, batch_first=True)

    def fits(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is [b, t, i] or [b·t, i] of this batch; dimensions of one number between are ignored."""
        shape = tuple(n for n in tensor.shape[:-1] if n != 1)
        n_prompts, n_tokens = self.shape
        return shape in ((n_prompts * n_tokens,), tuple(n for n in self.shape if n != 1))

    def _on(self, device: torch.device) -> torch.Tensor:
        if self._places.device != device:
            self._places = to_device(self._places, device)
        return self._places
