"""Packing: linear maps work on the real tokens of a batch only, so that padding costs them nothing.

A batch of short and long prompts is mostly padding, and linear maps are nearly all of a model's arithmetic. They act
on each token alone, so leaving padding out changes no real token; attention still sees the padded batch and its mask.

Index conventions: b prompt, t token of the padded batch, n real token, prompt by prompt.
"""

from collections.abc import Sequence

import torch
from torch.utils.weak import WeakTensorKeyDictionary


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

    def of_prompt(self, packed: torch.Tensor, b: int) -> torch.Tensor:
        """The real tokens of prompt b: [n, …] → [t_b, …], a view. All rows where it is the only prompt."""
        if self.shape[0] == 1:
            return packed
        return packed[self.starts[b] : self.starts[b + 1]]

    def fits(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is [b, t, i] or [b·t, i] of this batch; dimensions of one number between are ignored."""
        shape = tuple(n for n in tensor.shape[:-1] if n != 1)
        n_prompts, n_tokens = self.shape
        return shape in ((n_prompts * n_tokens,), tuple(n for n in self.shape if n != 1))

    def _on(self, device: torch.device) -> torch.Tensor:
        if self._places.device != device:
            self._places = self._places.to(device)
        return self._places
