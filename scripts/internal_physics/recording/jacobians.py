"""The local linear map of every block at the read position of one prompt: J = ∂residual[l+1] / ∂residual[l].

Both residuals are those of the read position t, and J is [d, d]: the response of what leaves block l at t to a small
change of what enters it at t. The residuals of all other tokens are held fixed. The change acts along every way inside
the block: the skip connection, the query of t, its own key and value (which t sees too), and what follows. Where a
model's stream is several streams (hyper-connections), they stand one after the other, as in records. Steering at l+1 is
part of J: an addition leaves it as it is, a clamped component has no response.

J is found row by row, as products vᵀJ, many to a backward pass through one block. What happens at other tokens does not
depend on t in a causal model, and does not return to t in one block of most masked models. So products with weights are
differentiated in the row of t alone, which makes the cost independent of the length of a prompt; one random vector per
block proves that nothing is lost, and where something is, whole products are differentiated.

Index conventions: l block 0..L-1, t token, d width, k vector, i row of J (output), j column of J (input).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch

from internal_physics.config.options.record import RecordOptions
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.loading import LoadedModel
from internal_physics.models.stream import tap_stream
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.operands import Part
from internal_physics.recording.recorder import model_inputs, wiring_of
from internal_physics.recording.selfcheck import TOLERANCE
from internal_physics.recording.watch import Run, Watch
from internal_physics.recording.watched import EveryFunction, OnWeights, can_be_watched
from internal_physics.steering.intervention import Intervention, Steering

LOGGER = logging.getLogger("internal_physics")
_NUMBERS_AT_ONCE = 2**23  # of a batch of products, in the residual stream of all tokens


@dataclass(frozen=True)
class BlockMap:
    """What is known of the local linear map of one block.

    Attributes:
        layer: l.
        width: d.
        products: vᵀJ for each vector v, [k, d], float64; J itself where the vectors are the unit vectors.
        is_exact: whether they are.
    """

    layer: int
    width: int
    products: torch.Tensor
    is_exact: bool


@dataclass
class _Graphs:
    """Per layer: the residual of the read position as a leaf [d], and as what the block before it made of its own."""

    leaves: dict[int, torch.Tensor] = field(default_factory=dict)
    made: dict[int, torch.Tensor] = field(default_factory=dict)


def block_maps(
    model: LoadedModel,
    encoded: Encoded,
    *,
    exact_width: int,
    probes: int,
    seed_of_layer: Callable[[int], int],
    steering: Steering | None = None,
) -> Iterator[BlockMap]:
    """The local linear map of every block, in the order of the blocks.

    Args:
        model: a checked one.
        encoded: the prompt.
        exact_width: largest d for which J is computed; d products cost about as much as d backward passes of one
            token.
        probes: number of random vectors (entries ±1) above that.
        seed_of_layer: gives the seed of a layer's random vectors.
        steering: what is added to the residual stream.

    Raises:
        ArchitectureError: a block is several modules between which the stream branches, or its stream is cut.
    """
    if model.anatomy.earlier_parts:
        raise ArchitectureError(
            "the blocks have parts in several lists, past which the residual stream goes",
            where=model.anatomy.architecture,
            expected="blocks that are one module each",
            todo="leave the prompts of this model out of jacobian.prompts",
        )
    whole = _pass(model, encoded, steering, nullcontext())
    fast = _pass(model, encoded, steering, _row_alone(model, encoded))
    for layer in range(model.anatomy.n_layers):
        generator = torch.Generator().manual_seed(seed_of_layer(layer))
        output, leaf = _proven(model, layer, whole, fast, generator)
        width = len(leaf)
        is_exact = width <= exact_width
        vectors = torch.eye(width) if is_exact else _signs(probes, width, generator)
        together = max(1, _NUMBERS_AT_ONCE // (width * len(encoded.ids)))
        products = vector_products(output, leaf, vectors.to(output), together).double().cpu()
        for graphs in (whole, fast):
            del graphs.made[layer + 1], graphs.leaves[layer]
        yield BlockMap(layer, width, products, is_exact)


def vector_products(
    output: torch.Tensor, given: torch.Tensor, vectors: torch.Tensor, together: int = 1024
) -> torch.Tensor:
    """vᵀJ, [k, n], of J = ∂output/∂given [m, n], for vectors v [k, m]; the graph is kept.

    Args:
        output: [m], in a graph.
        given: [n], a leaf of it.
        vectors: [k, m].
        together: how many vectors share a backward pass. Functions that torch cannot batch (4-bit and 8-bit weights)
            run one vector after the other.
    """
    try:
        return torch.cat([_products(output, given, chunk) for chunk in vectors.split(together)])
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        LOGGER.debug("vectors one by one: %s", error)
    return torch.stack([_product(output, given, vector) for vector in vectors])


def _products(output: torch.Tensor, given: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    (found,) = torch.autograd.grad(output, given, vectors, retain_graph=True, is_grads_batched=True)
    return found


def _product(output: torch.Tensor, given: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    (found,) = torch.autograd.grad(output, given, vector, retain_graph=True)
    return found


def _signs(n: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Independent ±1, [n, d]: E‖Jᵀv‖² = ‖J‖², with the smallest variance of all independent entries."""
    return torch.randint(0, 2, (n, width), generator=generator).float() * 2 - 1


def _proven(
    model: LoadedModel, layer: int, whole: _Graphs, fast: _Graphs, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output and leaf of a block: those of the fast graph, if one random product is the same in both."""
    made, leaves = layer + 1, layer
    vector = torch.randn(len(whole.leaves[layer]), generator=generator).to(whole.made[made])
    expected, found = (_product(graphs.made[made], graphs.leaves[leaves], vector) for graphs in (whole, fast))
    error = (found - expected).double().norm() / expected.double().norm()
    if bool(error <= TOLERANCE[expected.dtype]):
        return fast.made[made], fast.leaves[leaves]
    LOGGER.info("block %d: products are differentiated at all tokens (one row is off by %.1e)", layer, float(error))
    return whole.made[made], whole.leaves[leaves]


def _pass(model: LoadedModel, encoded: Encoded, steering: Steering | None, watched: AbstractContextManager) -> _Graphs:
    """One forward pass, cut at every residual of the read position."""
    anatomy, graphs, n_tokens, t = model.anatomy, _Graphs(), len(encoded.ids), encoded.read_position
    steer = None if steering is None else Intervention(steering, [n_tokens], n_tokens)

    def see(hidden: torch.Tensor, layer: int) -> torch.Tensor:
        return anatomy.stream.change(hidden, n_tokens, lambda residual: cut(residual, layer))

    def cut(residual: torch.Tensor, layer: int) -> torch.Tensor:
        residual = residual if steer is None else steer(residual, layer)
        if layer:
            graphs.made[layer] = residual[0, t]
        leaf = graphs.leaves[layer] = residual[0, t].detach().clone().requires_grad_()
        fixed = residual.detach()
        return torch.cat([fixed[:, :t], leaf[None, None], fixed[:, t + 1 :]], dim=1)

    handles = tap_stream(anatomy.entries(model.module), anatomy.blocks(model.module), anatomy.n_layers, see)
    try:
        with torch.enable_grad(), watched:
            model.module(**model_inputs(model, [encoded], attention_entropy=False))
    finally:
        for handle in handles:
            handle.remove()
    return graphs


class _OneRow:
    """Differentiates products with weights in one row alone, that of a token; see `watch.Catches`.

    Args:
        n_tokens: of the prompt.
        token: which row.
    """

    def __init__(self, n_tokens: int, token: int) -> None:
        self.n_tokens, self.token = n_tokens, token

    def product(self, part: Part, given: torch.Tensor, run: Run, *, stored_out_first: bool) -> torch.Tensor:
        """Run a product; of an input that has a row for each token, only the own row is in the graph."""
        axes = [axis for axis, n in enumerate(given.shape[:-1]) if n != 1]
        if part.in_stack or len(axes) != 1 or given.shape[axes[0]] != self.n_tokens or not given.requires_grad:
            return run(given)
        (axis,) = axes
        with torch.no_grad():
            fixed = run(given)
        own = run(given.narrow(axis, self.token, 1))
        after = self.n_tokens - self.token - 1
        return torch.cat([fixed.narrow(axis, 0, self.token), own, fixed.narrow(axis, self.token + 1, after)], dim=axis)

    def products(self, parts: Sequence[Part], given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Products of a stack of matrices stay as they are."""
        return output

    def lookup(self, part: Part, ids: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Rows of a table stay as they are."""
        return rows


def _row_alone(model: LoadedModel, encoded: Encoded) -> AbstractContextManager:
    """A context in which products with weights are differentiated at the read position alone."""
    operands = wiring_of(model, RecordOptions(weight_gradients="none")).operands
    watch = Watch(operands, _OneRow(len(encoded.ids), encoded.read_position))
    every = model.coverage.every_function or not can_be_watched(operands.weights)
    return EveryFunction(watch) if every else OnWeights(watch, operands.weights)
