"""Where the parts of a model are, found from its module tree and not from a list of model names.

Index conventions: l block 0..L-1; a site at layer -1 runs before the blocks, one at layer L after them.
The anatomy found here is a hypothesis; `recording.selfcheck` proves it on a short pass before anything is recorded.
"""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.stream import PLAIN, Stream


@dataclass(frozen=True)
class LinearMap:
    """A module that uses one 2-D weight: a linear map or an embedding table.

    Attributes:
        site: dotted path of the module.
        parameter: canonical name of its weight (tied weights share one).
        layer: block index, or -1 for embeddings outside the blocks, or L for maps outside the blocks.
        lookup: whether it is an embedding.
        transposed: whether the weight is stored [in, out] (Conv1D).
        shape: the parameter's shape, of the un-quantised matrix.
        padding_row: row of an embedding that never gets a gradient (nn.Embedding's padding_idx).
    """

    site: str
    parameter: str
    layer: int
    lookup: bool
    transposed: bool
    shape: tuple[int, int]
    padding_row: int | None = None


@dataclass(frozen=True)
class Anatomy:
    """The parts of one model that recording needs.

    Attributes:
        architecture: class name of the model.
        blocks_path: dotted path of the ModuleList of blocks; of their last parts, where the parts of the blocks are in
            several lists (XLM).
        n_layers: L, how often a block runs in a pass: the number of blocks, unless some share their weights.
        width: d, of the residual stream.
        maps: every module with a 2-D weight that can be recorded.
        unmapped: 2-D (or stacked expert) weights that no recordable module uses.
        stream: how the residual stream lies in the tensors of the blocks.
        encoder_path: dotted path of what runs before the blocks in an encoder-decoder, whose blocks are the decoder's;
            "" in any other model.
        earlier_parts: paths of the lists of the blocks' other parts, in the order in which they run; () where a block
            is one module.
    """

    architecture: str
    blocks_path: str
    n_layers: int
    width: int
    maps: tuple[LinearMap, ...]
    unmapped: tuple[str, ...]
    stream: Stream = PLAIN
    encoder_path: str = ""
    earlier_parts: tuple[str, ...] = ()

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        """The list of blocks of `model`; a block that runs several times in a pass stands there once."""
        return cast(nn.ModuleList, model.get_submodule(self.blocks_path))

    def entries(self, model: nn.Module) -> nn.ModuleList:
        """What the residual stream enters: the blocks, or their first parts."""
        return cast(nn.ModuleList, model.get_submodule((*self.earlier_parts, self.blocks_path)[0]))

    def is_in_blocks(self, name: str) -> bool:
        """Whether a parameter or a module is inside a block."""
        return any(_is_inside(name, path) for path in (*self.earlier_parts, self.blocks_path))

    def layer_of(self, name: str, *, lookup: bool) -> int:
        """The layer of a weight by its name: of its block, or -1 for a table and L for anything else outside them.

        A block that runs several times has its place in the list of blocks.
        """
        before = lookup or _is_inside(name, self.encoder_path)
        for path in (*self.earlier_parts, self.blocks_path):
            if _is_inside(name, path):
                return int(name[len(path) + 1 :].split(".", maxsplit=1)[0])
        return -1 if before else self.n_layers


def find_anatomy(model: PreTrainedModel) -> Anatomy:
    """Find blocks, width and linear maps of any transformers language model.

    Raises:
        ArchitectureError: where there is not exactly one list of blocks nearest to the tokens, or no output embedding.
    """
    architecture = type(model).__name__
    if model.get_output_embeddings() is None:
        raise ArchitectureError(
            "it has no output embedding (language-model head)",
            where=architecture,
            expected="a causal or masked language model",
        )
    *earlier_parts, blocks_path = _find_blocks(model, architecture)
    n_layers = _number_of_layers(model, architecture, blocks_path)
    encoder_path = _path_of(model, model.get_encoder()) if model.config.is_encoder_decoder else ""
    parts = Anatomy(architecture, blocks_path, n_layers, _width(model), (), ())
    parts = replace(parts, encoder_path=encoder_path, earlier_parts=tuple(earlier_parts))
    maps = tuple(_linear_maps(model, parts))
    mapped = {linear_map.parameter for linear_map in maps}
    unmapped = tuple(name for name, p in model.named_parameters() if p.ndim >= 2 and name not in mapped)
    return replace(parts, maps=maps, unmapped=unmapped)


def accepts(model: nn.Module, argument: str) -> bool:
    """Whether the model's forward has an argument of this name."""
    return argument in inspect.signature(model.forward).parameters


def input_embedding(model: PreTrainedModel) -> nn.Embedding:
    """The table that a model looks its tokens up in."""
    return cast(nn.Embedding, model.get_input_embeddings())


def weight_shape(module: nn.Linear | nn.Embedding | Conv1D) -> tuple[int, int]:
    """Shape of a map's weight as the model uses it; packed 4-bit weights are stored in another shape."""
    if isinstance(module, nn.Embedding):
        return module.num_embeddings, module.embedding_dim
    if isinstance(module, Conv1D):
        n_in, n_out = module.weight.shape
        return n_in, n_out
    return module.out_features, module.in_features


def _find_blocks(model: PreTrainedModel, architecture: str) -> list[str]:
    """Path of the list of blocks; several, in their order, where each has one part of every block (XLM).

    Where no list has as many modules as the model has layers, each runs several times (ALBERT). A model that takes
    images or sound has more lists, further from its tokens. All that is for the self-check to prove.
    """
    lists = {name: len(module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    n_layers = _numbers_of_layers(model, architecture)
    candidates = next(
        (found for n in n_layers if (found := _outermost(name for name, length in lists.items() if length == n))), []
    )
    if not candidates:
        candidates = _outermost(name for name, length in lists.items() if length and n_layers[0] % length == 0)
    tokens = _path_of(model, model.get_input_embeddings())
    nearest = min((_steps(tokens, name) for name in candidates), default=0)
    chosen = [name for name in candidates if _steps(tokens, name) == nearest]
    if model.config.is_encoder_decoder:
        decoder = _path_of(model, model.get_decoder())
        chosen = [name for name in chosen if _is_inside(name, decoder)]
    if not chosen or len({name.rpartition(".")[0] for name in chosen}) > 1:
        raise ArchitectureError(
            f"found {len(chosen)} lists of {n_layers[0]} blocks: {chosen}",
            where=architecture,
            expected="one module list of num_hidden_layers blocks, or several in one module",
        )
    return chosen


def _number_of_layers(model: PreTrainedModel, architecture: str, blocks_path: str) -> int:
    """How often a block runs in a pass: once each, or as often as the config says where there are fewer."""
    length = len(cast(nn.ModuleList, model.get_submodule(blocks_path)))
    numbers = _numbers_of_layers(model, architecture)
    return length if length in numbers else numbers[0]


def _numbers_of_layers(model: PreTrainedModel, architecture: str) -> list[int]:
    """What its config calls layers: its blocks, or, where a block holds two of them (LongCat), half as many blocks.

    An encoder-decoder has a number of its own for the decoder, which may stand alone (BART as a causal model).
    """
    config = model.config.get_text_config()
    numbers = [getattr(config, name, None) for name in ("num_hidden_layers", "num_layers", "decoder_layers")]
    if config.is_encoder_decoder:
        numbers = [getattr(config, "decoder_layers", numbers[0])]
    if numbers[0] is None:
        raise ArchitectureError(
            "its config has no num_hidden_layers",
            where=architecture,
            expected="a transformers language model",
        )
    return [n for n in numbers if n is not None]


def _outermost(names: Iterable[str]) -> list[str]:
    """Those names that lie in no other of them."""
    every = list(names)
    return [name for name in every if not any(name.startswith(f"{other}.") for other in every)]


def _path_of(model: nn.Module, part: nn.Module | None) -> str:
    return next((name for name, module in model.named_modules() if module is part), "")


def _steps(a: str, b: str) -> int:
    """Steps from one module to another in the module tree."""
    one, other = a.split("."), b.split(".")
    shared = next((i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    return len(one) + len(other) - 2 * shared


def _width(model: PreTrainedModel) -> int:
    return int(model.config.get_text_config().hidden_size)


def _is_inside(name: str, path: str) -> bool:
    return bool(path) and name.startswith(f"{path}.")


def _linear_maps(model: nn.Module, parts: Anatomy) -> Iterator[LinearMap]:
    canonical = {id(parameter): name for name, parameter in model.named_parameters()}
    for site, module in model.named_modules():
        if not isinstance(module, nn.Linear | nn.Embedding | Conv1D):
            continue
        lookup = isinstance(module, nn.Embedding)
        yield LinearMap(
            site=site,
            parameter=canonical[id(module.weight)],
            layer=parts.layer_of(site, lookup=lookup),
            lookup=lookup,
            transposed=isinstance(module, Conv1D),
            shape=weight_shape(module),
            padding_row=module.padding_idx if isinstance(module, nn.Embedding) else None,
        )
