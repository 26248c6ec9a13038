"""An adapter's weights against its settings: what peft would leave out, or would start anew, is refused.

peft loads into the modules that the settings name. It ignores factors of others, and starts those that the file lacks
as if they were not trained, with a warning at most.
"""

from collections.abc import Callable, Iterable, Iterator

from torch import nn
from transformers.pytorch_utils import Conv1D

from internal_physics.ground.errors import SourceError
from internal_physics.models.lora import Adapter, Factors
from internal_physics.models.lora_settings import LoraSettings

_KINDS = (nn.Linear, Conv1D, nn.Embedding)


def require_agreement(
    adapter: Adapter, module: nn.Module, find: Callable[[str], str], parts: Iterable[str] = ()
) -> None:
    """Refuse an adapter whose weights are not those that its settings describe.

    Args:
        adapter: every part of which has a place in the base model.
        module: the base model; no weight is read.
        find: name of a parameter in the adapter → its name in the base.
        parts: names of the stored matrices of which the base makes one parameter, such as those of single experts.

    Raises:
        SourceError: naming the module and the setting.
    """
    settings = adapter.settings
    for name, factors in adapter.factors.items():
        _require_said(name, factors, settings)
        if not settings.targets.include(name):
            raise _contradiction(f"it has factors of {name}, which its settings leave out", settings)
    changed = {find(f"{name}.weight") for name in adapter.factors}
    whole = {find(name) for name in adapter.whole}
    lacking = next(_lacking(module, settings, changed, whole), None) or next(_of_parts(parts, settings, changed), None)
    if lacking is not None:
        raise _contradiction(f"it lacks {lacking}", settings)


def _require_said(module: str, factors: Factors, settings: LoraSettings) -> None:
    for entry, is_on, values in (
        ("use_dora", settings.by_length, factors.lengths),
        ("lora_bias", settings.with_bias, factors.bias),
    ):
        if is_on != (values is not None):
            has = "has" if values is not None else "lacks"
            what = "the row lengths (DoRA)" if entry == "use_dora" else "the bias of B"
            raise _contradiction(f"{entry} is {str(is_on).lower()}, and it {has} {what} of {module}", settings)


def _lacking(module: nn.Module, settings: LoraSettings, changed: set[str], whole: set[str]) -> Iterator[str]:
    """What the settings say is stored and is not, in words."""
    targets = settings.targets
    for name, part in module.named_modules():
        is_map = isinstance(part, _KINDS)
        if is_map and targets.are_named and targets.include(name) and f"{name}.weight" not in changed:
            yield f"the factors of {name}, which target_modules names"
    for name, _ in module.named_parameters(remove_duplicate=False):
        if targets.are_stored(name.rpartition(".")[0]) and name not in whole:
            yield f"{name}, which modules_to_save names"
        of_map = f"{name.rpartition('.')[0]}.weight" in changed
        is_stored = targets.biases == "all" or (targets.biases == "lora_only" and of_map)
        if is_stored and name.endswith("bias") and name not in whole:
            yield f"{name}, which bias: {targets.biases} names"


def _of_parts(parts: Iterable[str], settings: LoraSettings, changed: set[str]) -> Iterator[str]:
    """Experts whose factors are not there though others' are: an adapter changes those of all experts or of none."""
    matrices = {name.removesuffix(".weight"): name in changed for name in parts if name.endswith(".weight")}
    if settings.targets.are_named and any(matrices.values()):
        for name, is_changed in matrices.items():
            if settings.targets.include(name) and not is_changed:
                yield f"the factors of {name}, which target_modules names"


def _contradiction(what: str, settings: LoraSettings) -> SourceError:
    return SourceError(
        what,
        where=settings.where,
        expected="settings that belong to the weights",
        todo="fetch or copy the adapter again, or write into its settings what its weights are",
    )
