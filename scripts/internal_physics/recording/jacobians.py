"""The local linear map of every block at the read position of one prompt: J = ∂residual[l+1] / ∂residual[l].

Both residuals are those of the read position t, and J is [d, d]: the response of what leaves block l at t to a small
change of what enters it at t. The residuals of all other tokens are held fixed. The change acts along every way inside
the block: the skip connection, the query of t, its own key and value (which t sees too), and what follows. Where a
model's stream is several streams (hyper-connections), they stand one after the other, as in records. Steering at l+1 is
part of J: an addition leaves it as it is, a clamped component has no response.

J is found row by row, as products vᵀJ, many to a backward pass through one block. What happens at other tokens does not
depend on t in a causal model, and does not return to t in one block of most masked models. So shorter passes will do
(`block_graphs`): over the last token alone, or with products of weights differentiated at t alone. One random vector
per block proves that nothing is lost, and where something is, whole passes are differentiated.

Index conventions: l block 0..L-1, t token, d width, k vector, i row of J (output), j column of J (input).
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.block_graphs import Graphs, last_token_pass, row_pass, whole_pass
from internal_physics.recording.closeness import TOLERANCE
from internal_physics.recording.encoding import Encoded
from internal_physics.steering.intervention import Steering

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
    ways = _Ways(model, encoded, steering)
    for layer in range(model.anatomy.n_layers):
        generator = torch.Generator().manual_seed(seed_of_layer(layer))
        graphs, output, leaf = ways.proven(layer, generator)
        width = len(leaf)
        is_exact = width <= exact_width
        vectors = torch.eye(width) if is_exact else _signs(probes, width, generator)
        together = max(1, _NUMBERS_AT_ONCE // (width * graphs.n_tokens))
        products = vector_products(output, leaf, vectors.to(output), together).double().cpu()
        ways.forget(layer)
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


class _Ways:
    """Graphs of one prompt by the cheapest way first. The passes are made when they are needed; see `block_graphs`."""

    def __init__(self, model: LoadedModel, encoded: Encoded, steering: Steering | None) -> None:
        self.whole = whole_pass(model, encoded, steering)
        self._makers = [lambda make=make: make(model, encoded, steering) for make in (last_token_pass, row_pass)]
        self._made: list[Graphs | None] = []

    def proven(self, layer: int, generator: torch.Generator) -> tuple[Graphs, torch.Tensor, torch.Tensor]:
        """Graphs, output and leaf of a block, by the first way in which one random product is as in the whole pass."""
        vector = torch.randn(len(self.whole.leaves[layer]), generator=generator).to(self.whole.made[layer + 1])
        expected = _product(self.whole.made[layer + 1], self.whole.leaves[layer], vector)
        chosen = next((graphs for graphs in self._all() if _is_same(graphs, layer, vector, expected)), self.whole)
        if chosen is self.whole:
            LOGGER.info("block %d: products are differentiated at all tokens", layer)
        return chosen, chosen.made[layer + 1], chosen.leaves[layer]

    def forget(self, layer: int) -> None:
        """Free the graphs of a block."""
        for graphs in (self.whole, *self._made):
            if graphs is not None:
                graphs.forget(layer)

    def _all(self) -> Iterator[Graphs]:
        for number, make in enumerate(self._makers):
            if number == len(self._made):
                self._made.append(make())
            if (graphs := self._made[number]) is not None:
                yield graphs


def _is_same(graphs: Graphs, layer: int, vector: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether a product with the block's map is the expected one, as far as rounding lets it be."""
    try:
        found = _product(graphs.made[layer + 1], graphs.leaves[layer], vector)
    except RuntimeError as error:  # such as a cache that is changed in place
        if isinstance(error, torch.OutOfMemoryError):
            raise
        LOGGER.debug("block %d cannot be differentiated in a shorter pass: %s", layer, error)
        return False
    error_share = (found - expected).double().norm() / expected.double().norm()
    return bool(error_share <= TOLERANCE[expected.dtype])
