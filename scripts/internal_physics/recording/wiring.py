"""Wiring: what every pass through one model needs to know of it, found once as long as the model is the same."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from torch import nn

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.coverage import EVERYTHING, Coverage
from internal_physics.models.precision import is_quantized
from internal_physics.recording.experts import find_experts
from internal_physics.recording.operands import Operands
from internal_physics.recording.plain_maps import plain_maps
from internal_physics.recording.routing import find_routers
from internal_physics.recording.sites import Sites


class Wiring:
    """The weights of a model, and how each is caught.

    Args:
        model: the model.
        anatomy: where its parts are.
        coverage: which weights are kept whole, and which not at all.
        factors: whether gradients of weights are recorded.

    Attributes:
        dense: weights whose gradients are kept whole.
        experts: that run together.
        quantized: module and map of packed weights, which are no operand of a product.
        maps: the uses of matrices, and their names.
        operands: the weights that are recognised.
        routers: of experts.
        unreached: weights that the loss does not depend on, as far as is known.
        plain: linear maps inside blocks that are caught by a forward of their own.
        watched_alone: weights to be watched where one prompt runs and no gradients of weights are recorded.
        every_function: whether all functions must be watched, not only those that are given a weight.
    """

    def __init__(
        self, model: nn.Module, anatomy: Anatomy, coverage: Coverage = EVERYTHING, *, factors: bool = True
    ) -> None:
        parameters = dict(model.named_parameters())
        modules = dict(model.named_modules(remove_duplicate=False))
        self.dense = {name: parameters[name] for name in (coverage.dense if factors else ())}
        self.quantized = [(modules[m.site], m) for m in anatomy.maps if is_quantized(modules[m.site])]
        ignored = {*self.dense, *coverage.partial, *(m.parameter for _, m in self.quantized)}
        self.unreached = frozenset(coverage.unreached)
        self.routers = tuple(find_routers(model, anatomy))
        self.maps = Sites(anatomy)
        self.experts = find_experts(
            modules.values(),
            {id(parameter): name for name, parameter in parameters.items()},
            self.maps,
            whole=frozenset(self.dense),
            left_out=frozenset(coverage.partial),
        )
        self.operands = Operands(parameters.items(), ignored)
        self.plain = plain_maps(modules, anatomy, self.operands, self.maps)
        unwatched = {plain.part.parameter for plain in self.plain} - {router.weight for router in self.routers}
        idle = {id(parameters[name]) for name in unwatched}
        self.watched_alone = [weight for weight in self.operands.weights if id(weight) not in idle]
        self.every_function = coverage.every_function
        self._of = (anatomy, coverage, factors, _experts_of(model))
        self._places = [
            (owner._parameters, name, parameter, parameter.data_ptr())
            for owner in _distinct(modules.values())
            for name, parameter in owner._parameters.items()
            if parameter is not None
        ]

    def holds(self, model: nn.Module, anatomy: Anatomy, coverage: Coverage, *, factors: bool) -> bool:
        """Whether this is the wiring of a model with these parts, with every weight where it was.

        A linear map that has got a forward of its own since is no plain one any more.
        """
        known_anatomy, *known = self._of
        return (
            known_anatomy is anatomy
            and known == [coverage, factors, _experts_of(model)]
            and all(own.get(name) is p and p.data_ptr() == place for own, name, p, place in self._places)
            and not any("forward" in vars(plain.module) for plain in self.plain)
        )


_known: "WeakKeyDictionary[nn.Module, dict[bool, Wiring]]" = WeakKeyDictionary()


def find_wiring(model: nn.Module, anatomy: Anatomy, coverage: Coverage, *, factors: bool) -> Wiring:
    """The wiring of a model: the last one, if it holds."""
    known = _known.setdefault(model, {})
    if factors not in known or not known[factors].holds(model, anatomy, coverage, factors=factors):
        known[factors] = Wiring(model, anatomy, coverage, factors=factors)
    return known[factors]


def _experts_of(model: nn.Module) -> object:
    """Which implementation of experts a model has been told to use."""
    return getattr(getattr(model, "config", None), "_experts_implementation", None)


def _distinct(modules: Iterable[nn.Module]) -> list[nn.Module]:
    return list(dict.fromkeys(modules))
