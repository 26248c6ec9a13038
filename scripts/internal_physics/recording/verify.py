"""What is refused after a pass: tensors that were changed or never caught, and weights used in an unknown way."""

from collections.abc import Collection, Mapping

from internal_physics.ground.errors import ArchitectureError
from internal_physics.recording.experts import changed_inputs
from internal_physics.recording.flow import Flow


def require_caught(flow: Flow, architecture: str) -> None:
    """Refuse a pass in which a caught tensor was later changed in place, or never caught.

    Raises:
        ArchitectureError: naming the first such place.
    """
    changed = [f"residual {layer}" for layer, (hidden, version) in flow.passed.items() if hidden._version != version]
    changed += [
        f"the input of {call.map.site}"
        for call in flow.calls
        if call.input is not None and call.input._version != call.version
    ]
    changed += changed_inputs(flow)
    missing = [c.map.site for c in flow.calls if c.input is None and c.output_gradient is not None]
    if missing:
        raise ArchitectureError(
            f"{missing[0]} was not computed again", where=architecture, todo="set record.recompute to false"
        )
    if changed:
        raise ArchitectureError(f"{changed[0]} is changed in place after it is used", where=architecture)


def require_known_uses(uses: Mapping[str, str], unreached: Collection[str], architecture: str) -> None:
    """Refuse a pass in which a weight was used in two ways, or not in a product, unless the loss does not reach it.

    The self-check has put aside every weight that it saw used so.

    Args:
        uses: weight → the other use, in words.
        unreached: weights that the loss does not depend on, as far as is known.
        architecture: its name, for the message.

    Raises:
        ArchitectureError: naming the first such weight.
    """
    for name in sorted(uses.keys() - unreached):
        raise ArchitectureError(
            f"{name} is used in a way that it was not in the self-check: {uses[name]}",
            where=architecture,
            expected="the same uses of weights for every prompt",
            todo="set weight_gradients to none for this prompt set",
        )
